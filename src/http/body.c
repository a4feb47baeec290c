#include "http/body.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/json.h"
#include "base/utf8.h"
#include "http/parameters.h"
#include "http/request.h"

/* The values of parameters, including charset, have no effect (RFC 8259 section 11): the body must
 * be UTF-8. */
static bool are_parameters(const char *at)
{
    struct parameter parameter;

    while (parameters_next(&at, &parameter)) {
    }
    return *at == '\0';
}

/* Whether the body has no content coding. */
static bool is_plain(const char *content_encoding)
{
    return content_encoding == NULL || *content_encoding == '\0' ||
           strcasecmp(content_encoding, "identity") == 0;
}

static bool is_json(const char *content_type)
{
    static const char json[] = "application/json";
    const size_t length = sizeof json - 1;

    return content_type != NULL && strncasecmp(content_type, json, length) == 0 &&
           are_parameters(content_type + length);
}

enum status body_open(const struct request *request, size_t max, struct json **body)
{
    *body = NULL;
    if ((unsigned long long)request->content_length > max || request->body_length > max) {
        return STATUS_BODY_TOO_LARGE;
    }
    if ((unsigned long long)request->content_length != request->body_length) {
        return STATUS_BODY_TRUNCATED;
    }
    if (!is_json(request->content_type)) {
        return STATUS_CONTENT_TYPE_UNSUPPORTED;
    }
    if (!is_plain(request->content_encoding)) {
        return STATUS_CONTENT_ENCODING_UNSUPPORTED;
    }
    if (!utf8_valid(request->body, request->body_length)) {
        return STATUS_BODY_NOT_UTF8;
    }
    *body = json_parse(request->body, request->body_length);
    return *body != NULL ? STATUS_OK : STATUS_BODY_NOT_JSON;
}

bool body_take(const struct request *request, const struct json *body, const char *name,
               const char **text)
{
    enum json_kind kind = json_member(body, name, text);

    if (*text != NULL) {
        *text = arena_copy(request->arena, *text, strlen(*text));
    }
    return kind != JSON_OTHER;
}

const char *body_string(const struct request *request, const struct json *body, const char *name)
{
    const char *text;

    return body_take(request, body, name, &text) ? text : NULL;
}
