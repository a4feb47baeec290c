#include "http/query.h"

#include <stddef.h>
#include <string.h>

#include "http/request.h"

static const char *decode_value(struct arena *arena, const char *text, size_t length)
{
    return percent_decode(arena, text, length, true);
}

static enum status find_value(const struct request *request, const char *name,
                              const char *(*decode)(struct arena *, const char *, size_t),
                              const char **value)
{
    size_t name_length = strlen(name);
    const char *at = request->query;

    *value = NULL;
    while (*at != '\0') {
        size_t pair = strcspn(at, "&");
        size_t key = strcspn(at, "=&");

        if (key == name_length && memcmp(at, name, key) == 0) {
            const char *raw = key < pair ? at + key + 1 : at + key;
            if (*value != NULL) {
                return STATUS_MALFORMED_REQUEST;
            }
            *value = decode(request->arena, raw, (size_t)(at + pair - raw));
            if (*value == NULL) {
                return STATUS_MALFORMED_REQUEST;
            }
        }
        at += pair;
        at += *at == '&';
    }
    return STATUS_OK;
}

enum status query_value(const struct request *request, const char *name, const char **value)
{
    return find_value(request, name, decode_value, value);
}

enum status query_text(const struct request *request, const char *name, const char **value)
{
    return find_value(request, name, percent_decode_text, value);
}
