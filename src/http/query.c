#include "http/query.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/arena.h"
#include "http/request.h"

/* The raw value of the parameter and its length; *raw is NULL when it isn't there. */
static enum status find(const struct request *request, const char *name, const char **raw,
                        size_t *length)
{
    size_t name_length = strlen(name);
    const char *at = request->query;

    *raw = NULL;
    while (*at != '\0') {
        size_t pair = strcspn(at, "&");
        size_t key = strcspn(at, "=&");

        if (key == name_length && memcmp(at, name, key) == 0) {
            if (*raw != NULL) {
                return STATUS_MALFORMED_REQUEST;
            }
            *raw = key < pair ? at + key + 1 : at + key;
            *length = (size_t)(at + pair - *raw);
        }
        at += pair;
        at += *at == '&';
    }
    return STATUS_OK;
}

static enum status decode(const struct request *request, const char *raw, size_t length,
                          const char **value)
{
    *value = percent_decode(request->arena, raw, length, true);
    return *value != NULL ? STATUS_OK : STATUS_MALFORMED_REQUEST;
}

enum status query_value(const struct request *request, const char *name, const char **value)
{
    const char *raw;
    size_t length = 0;
    enum status status = find(request, name, &raw, &length);

    *value = NULL;
    return status == STATUS_OK && raw != NULL ? decode(request, raw, length, value) : status;
}

enum status query_text(const struct request *request, const char *name, const char **value)
{
    const char *raw;
    size_t length = 0, count = 0;
    enum status status = find(request, name, &raw, &length);

    *value = NULL;
    if (status != STATUS_OK || raw == NULL) {
        return status;
    }
    char *text = arena_alloc(request->arena, length + 1);
    for (size_t i = 0; i < length; i++) {
        bool is_blank = length - i > 2 && raw[i] == '%' && raw[i + 1] == '0' &&
                        memchr("9aAbBcCdD", raw[i + 2], 9) != NULL;

        text[count++] = is_blank ? '+' : raw[i];
        i += is_blank ? 2 : 0;
    }
    return decode(request, text, count, value);
}
