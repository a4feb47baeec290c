#include "base/json.h"

#include <json.h>

#include "base/json_grammar.h"
#include "base/utf8.h"

/* struct json is json-c's object under a name of ours; it never exists. */
static struct json_object *object_of(const struct json *document)
{
    return (struct json_object *)(uintptr_t)document;
}

/* Members in the tree. Fewer than in the text means that a name stood twice in an object. */
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

struct json *json_parse(const char *text, size_t length)
{
    size_t members;

    if (!utf8_valid(text, length) || !json_grammar(text, length, JSON_DEPTH_MAX, &members)) {
        return NULL;
    }
    struct json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH_MAX + 2);
    if (tokener == NULL) {
        return NULL;
    }
    struct json_object *value = json_tokener_parse_ex(tokener, text, (int)length);
    json_tokener_free(tokener);
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
