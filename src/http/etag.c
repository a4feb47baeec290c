#include "http/etag.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "http/request.h"
#include "http/response.h"

void etag_make(char tag[static ETAG_SIZE], const char *bytes, size_t length)
{
    snprintf(tag, ETAG_SIZE, "\"%016" PRIx64 "-%08" PRIx32 "\"",
             hash_add(HASH_START, bytes, length), (uint32_t)length);
}

bool etag_is_named(const char *if_none_match, const char *tag)
{
    size_t length = strlen(tag);
    const char *at = if_none_match != NULL ? if_none_match : "";

    at += strspn(at, " \t");
    if (strcmp(at, "*") == 0) {
        return true;
    }
    while (*at != '\0') {
        at += strspn(at, " \t,");
        at += strncmp(at, "W/", 2) == 0 ? 2 : 0; /* weak or strong is the same here */
        if (strncmp(at, tag, length) == 0 && strchr(" \t,", at[length]) != NULL) {
            return true;
        }
        at += *at == '"' ? 1 + strcspn(at + 1, "\"") : 0;
        at += strcspn(at, ",");
    }
    return false;
}

void etag_apply(struct response *response, const struct request *request, const char *tag)
{
    response_header(response, "ETag", tag);
    response->cache_control = "no-cache";
    if (etag_is_named(request->if_none_match, tag)) {
        response_not_modified(response);
    }
}
