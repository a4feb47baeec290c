#include "http/cors.h"

#include <stddef.h>
#include <string.h>

#include "base/arena.h"
#include "http/request.h"
#include "http/response.h"

bool cors_is_origin(const char *text)
{
    size_t scheme = strncmp(text, "https://", 8) == 0  ? 8
                    : strncmp(text, "http://", 7) == 0 ? 7
                                                       : 0;
    size_t host = strspn(text + scheme, "abcdefghijklmnopqrstuvwxyz0123456789.-:[]");

    return scheme > 0 && host > 0 && text[scheme + host] == '\0';
}

static bool is_configured(const struct cors *cors)
{
    for (size_t i = 0; i < CORS_ORIGINS_MAX; i++) {
        if (cors->origins[i] != NULL) {
            return true;
        }
    }
    return false;
}

static const char *allowed_origin(const struct cors *cors, const char *origin)
{
    for (size_t i = 0; i < CORS_ORIGINS_MAX; i++) {
        if (origin != NULL && cors->origins[i] != NULL && strcmp(cors->origins[i], origin) == 0) {
            return cors->origins[i];
        }
    }
    return NULL;
}

bool cors_is_preflight(const struct cors *cors, const struct request *request)
{
    return request->method == METHOD_OPTIONS && request->preflight_method != NULL &&
           allowed_origin(cors, request->origin) != NULL;
}

void cors_apply(const struct cors *cors, const struct request *request, struct response *response)
{
    const char *origin = allowed_origin(cors, request->origin);

    if (is_configured(cors)) {
        response_header(response, "Vary", "Origin");
    }
    if (origin == NULL) {
        return;
    }
    response_header(response, "Access-Control-Allow-Origin", origin);
    response_header(response, "Access-Control-Expose-Headers",
                    "Link, ETag, X-Request-Id, Retry-After, Cruddur-Since, Cache-Status");
    if (cors_is_preflight(cors, request)) {
        response_header(response, "Access-Control-Allow-Methods",
                        "GET, HEAD, POST, PUT, DELETE, OPTIONS");
        response_header(response, "Access-Control-Allow-Headers",
                        "Content-Type, Authorization, Idempotency-Key, If-None-Match, "
                        "Last-Event-ID, traceparent, X-Request-Id");
        response_header(response, "Access-Control-Max-Age",
                        arena_printf(request->arena, "%d", CORS_MAX_AGE_S));
    }
}
