/* The scanner that says whether text is strict JSON, without building anything. */
#ifndef CRUDDUR_BASE_JSON_GRAMMAR_H
#define CRUDDUR_BASE_JSON_GRAMMAR_H

#include <stdbool.h>
#include <stddef.h>

/* Whether text is exactly one JSON value by RFC 8259, with nesting of at most depth_max, escapes
 * that name well-formed code points other than NUL, and only space around it. The bytes must be
 * well-formed UTF-8 already. *members is the number of object members in the whole text. */
bool json_grammar(const char *text, size_t length, unsigned depth_max, size_t *members);

#endif
