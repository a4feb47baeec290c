/* json-c behind a small interface, so that no other file depends on it. json-c accepts more than
 * RFC 8259 allows, so a text is checked against the grammar first (json_grammar.c). Then members
 * are counted, because json-c silently keeps only the last of two members with one name: two
 * readers of a token could read such a token differently. */
#include "base/json.h"

#include <json.h>
#include <string.h>

#include "base/hex.h"
#include "base/json_grammar.h"
#include "base/memory.h"
#include "base/utf8.h"

/* A struct json * is a pointer to json-c's object. struct json itself is never defined. */
static struct json_object *object_of(const struct json *document)
{
    return (struct json_object *)(uintptr_t)document;
}

/* The number of members in the tree. If it is smaller than in the text, an object has a name
 * twice. */
static size_t count_members(struct json_object *value)
{
    size_t count = 0;

    if (json_object_is_type(value, json_type_object)) {
        json_object_object_foreach(value, name, inner)
        {
            (void)name;
            count += 1 + count_members(inner);
        }
    } else if (json_object_is_type(value, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(value); i++) {
            count += count_members(json_object_array_get_idx(value, i));
        }
    }
    return count;
}

static uint32_t unit_of(const char *digits)
{
    uint32_t unit = 0;

    for (int i = 0; i < 4; i++) {
        unit = unit << 4 | (uint32_t)hex_value(digits[i]);
    }
    return unit;
}

/* Whether an escape is the first of a pair. */
static bool begins_pair(const char *escape)
{
    return escape[1] == 'u' && unit_of(escape + 2) >> 10 == 0xd800 >> 10;
}

/* The four bytes of UTF-8 for the code point that a pair of escapes names. */
static void put_code_point(char *bytes, const char *pair)
{
    uint32_t point = 0x10000 + ((unit_of(pair + 2) & 0x3ff) << 10 | (unit_of(pair + 8) & 0x3ff));

    bytes[0] = (char)(0xf0 | point >> 18);
    bytes[1] = (char)(0x80 | (point >> 12 & 0x3f));
    bytes[2] = (char)(0x80 | (point >> 6 & 0x3f));
    bytes[3] = (char)(0x80 | (point & 0x3f));
}

/* Copies strict JSON text, with code points instead of escaped surrogate pairs. Returns the new
 * length, at most that of the text. The reason is that json-c takes some code points of pairs, the
 * first is U+1D800, for surrogates again and makes U+FFFD of them (its pull request 893). */
static size_t resolve_pairs(char *resolved, const char *text, size_t length)
{
    const char *end = text + length;
    char *to = resolved;

    while (text < end) {
        size_t taken = *text != '\\' ? 1 : begins_pair(text) ? 12 : 2;

        if (taken == 12) {
            put_code_point(to, text);
            to += 4;
        } else {
            memcpy(to, text, taken);
            to += taken;
        }
        text += taken;
    }
    return (size_t)(to - resolved);
}

/* Depth is bounded twice: the grammar refuses deeper texts, and json-c's own limit is a little
 * higher. */
static struct json_object *parse(const char *text, size_t length)
{
    struct json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH_MAX + 2);

    if (tokener == NULL) {
        return NULL;
    }
    struct json_object *value = json_tokener_parse_ex(tokener, text, (int)length);
    json_tokener_free(tokener);
    return value;
}

struct json *json_parse(const char *text, size_t length)
{
    size_t members;

    if (!utf8_valid(text, length) || !json_grammar(text, length, JSON_DEPTH_MAX, &members)) {
        return NULL;
    }
    char *resolved = memory_alloc(length);
    struct json_object *value = parse(resolved, resolve_pairs(resolved, text, length));
    memory_free(resolved);
    if (!json_object_is_type(value, json_type_object) || count_members(value) != members) {
        json_object_put(value);
        return NULL;
    }
    return (struct json *)value;
}

void json_free(struct json *document)
{
    json_object_put(object_of(document));
}

enum json_kind json_member(const struct json *document, const char *name, const char **string)
{
    struct json_object *value;

    *string = NULL;
    if (!json_object_object_get_ex(object_of(document), name, &value)) {
        return JSON_ABSENT;
    }
    switch (json_object_get_type(value)) {
    case json_type_null:
        return JSON_NULL;
    case json_type_string:
        *string = json_object_get_string(value);
        return JSON_STRING;
    default:
        return JSON_OTHER;
    }
}

/* json-c makes an integer only of a number without fraction and exponent. */
bool json_integer(const struct json *document, const char *name, int64_t *value)
{
    struct json_object *member;

    if (!json_object_object_get_ex(object_of(document), name, &member) ||
        !json_object_is_type(member, json_type_int)) {
        return false;
    }
    *value = json_object_get_int64(member);
    return true;
}

const struct json *json_member_object(const struct json *document, const char *name)
{
    struct json_object *member;

    return json_object_object_get_ex(object_of(document), name, &member) &&
                   json_object_is_type(member, json_type_object)
               ? (const struct json *)member
               : NULL;
}

static struct json_object *array_of(const struct json *document, const char *name)
{
    struct json_object *member;

    return json_object_object_get_ex(object_of(document), name, &member) &&
                   json_object_is_type(member, json_type_array)
               ? member
               : NULL;
}

size_t json_array_size(const struct json *document, const char *name)
{
    struct json_object *array = array_of(document, name);

    return array != NULL ? json_object_array_length(array) : 0;
}

const struct json *json_array_object(const struct json *document, const char *name, size_t index)
{
    struct json_object *array = array_of(document, name);
    struct json_object *item = array != NULL ? json_object_array_get_idx(array, index) : NULL;

    return json_object_is_type(item, json_type_object) ? (const struct json *)item : NULL;
}
