/* Reads the members of an object from strict JSON text (RFC 8259, I-JSON's limits of RFC 7493).
 *
 * json-c alone accepts too much: duplicate names, NaN, control characters, NUL escapes, lone
 * surrogates. So a scanner of our own (json_grammar.h) checks the text first; json-c then only
 * gives the values. */
#ifndef CRUDDUR_BASE_JSON_H
#define CRUDDUR_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct json;

enum { JSON_DEPTH_MAX = 16 };

/* The document, or NULL when the text is not one JSON object by the strict rules: well-formed
 * UTF-8, nesting of at most JSON_DEPTH_MAX, no duplicate names in an object, no NUL or lone
 * surrogate escape, nothing behind it. Free with json_free. */
MUST_CHECK struct json *json_parse(const char *text, size_t length);
void json_free(struct json *document); /* NULL is allowed */

enum json_kind { JSON_ABSENT, JSON_NULL, JSON_STRING, JSON_OTHER };

/* The kind of the member `name`. For JSON_STRING *string is its text, owned by the document, else
 * NULL. */
enum json_kind json_member(const struct json *document, const char *name, const char **string);

/* The member's value when it is an integer as json-c holds it (out of range: clamped). */
bool json_integer(const struct json *document, const char *name, int64_t *value);

/* The member's value when it is an object, else NULL; owned by the document. */
const struct json *json_member_object(const struct json *document, const char *name);

/* The number of items of the member when it is an array, else 0. */
size_t json_array_size(const struct json *document, const char *name);

/* Item number index of that array when it is an object, else NULL; owned by the document. */
const struct json *json_array_object(const struct json *document, const char *name, size_t index);

#endif
