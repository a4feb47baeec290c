#include "http/body.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/utf8.h"
#include "http/request.h"

/* The parameters behind "application/json": none, or a charset, which must be UTF-8. */
static bool parameters_fit(const char *at)
{
    while (*at != '\0') {
        at += strspn(at, " \t;");
        size_t length = strcspn(at, ";");
        while (length > 0 && strchr(" \t", at[length - 1]) != NULL) {
            length--;
        }
        if (length >= 8 && strncasecmp(at, "charset=", 8) == 0 &&
            !(length == 13 && strncasecmp(at + 8, "utf-8", 5) == 0) &&
            !(length == 15 && strncasecmp(at + 8, "\"utf-8\"", 7) == 0)) {
            return false;
        }
        at += strcspn(at, ";");
    }
    return true;
}

static bool is_json(const char *content_type)
{
    static const char json[] = "application/json";
    const size_t length = sizeof json - 1;

    return content_type != NULL && strncasecmp(content_type, json, length) == 0 &&
           (content_type[length] == '\0' || strchr(" \t;", content_type[length]) != NULL) &&
           parameters_fit(content_type + length);
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
