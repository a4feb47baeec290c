#include "http/query.h"

#include <stddef.h>
#include <string.h>

#include "http/request.h"

enum status query_value(const struct request *request, const char *name, const char **value)
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
            *value = percent_decode(request->arena, raw, (size_t)(at + pair - raw), true);
            if (*value == NULL) {
                return STATUS_MALFORMED_REQUEST;
            }
        }
        at += pair;
        at += *at == '&';
    }
    return STATUS_OK;
}
