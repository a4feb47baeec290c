/* A request with any parameters, one a line, gets the head of an answer, and the values that are
 * taken from it are clean text. The parameter BODY is the request's body. */
#include "http/request.h"

#include "api/problem.h"
#include "api/routes.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/utf8.h"
#include "fuzz.h"
#include "http/body.h"
#include "http/query.h"
#include "http/response.h"
#include "http/router.h"

enum { PARAMETERS_MAX = 32, BODY_MAX = 1024 };

static void must_be_clean(const char *text)
{
    MUST(utf8_valid(text, strlen(text)));
    for (; *text != '\0'; text++) {
        MUST((unsigned char)*text >= 0x20 && *text != 0x7f);
    }
}

static void split(char *text, char **envp)
{
    size_t count = 0;
    char *rest;

    for (char *line = strtok_r(text, "\n", &rest); line != NULL && count < PARAMETERS_MAX;
         line = strtok_r(NULL, "\n", &rest)) {
        envp[count++] = line;
    }
    envp[count] = NULL;
}

/* The head is one header block: nothing that a client sent can add a line to it. */
static void must_be_one_head(const struct request *request, enum status status)
{
    struct response response = {0};
    struct buf head = {0};

    problem_respond_one(&response, request, status);
    response_head(&response, request, &head);
    MUST(strstr(head.bytes, "\r\n\r\n") == head.bytes + head.length - 4);
    buf_release(&head);
    response_release(&response);
}

/* A member is text or missing, or body_take() reports that it is neither. */
static void look_at_member(const struct request *request, const struct json *body, const char *name)
{
    const char *text;
    bool good = body_take(request, body, name, &text);

    MUST(good || text == NULL);
    MUST(text == NULL || utf8_valid(text, strlen(text)));
    MUST((body_string(request, body, name) != NULL) == (text != NULL));
}

/* There is a document if and only if body_open() returns OK. With a BODY its length is announced
 * correctly. */
static void look_at_body(struct request *request, const char *text)
{
    struct json *body = NULL;

    request->body = text != NULL ? text : "{\"message\":\"x\"}";
    request->body_length = strlen(request->body);
    if (text != NULL) {
        request->content_length = (long long)request->body_length;
    }
    enum status status = body_open(request, BODY_MAX, &body);
    MUST((status == STATUS_OK) == (body != NULL));
    if (body != NULL) {
        look_at_member(request, body, "message");
        look_at_member(request, body, "ttl");
    }
    json_free(body);
}

/* A segment is the same after it was encoded and decoded. */
static void look_at_segment(const struct request *request, const char *segment)
{
    const char *encoded = percent_encode(request->arena, segment);
    const char *decoded = percent_decode(request->arena, encoded, strlen(encoded), false);

    must_be_clean(segment);
    MUST(decoded != NULL && strcmp(decoded, segment) == 0);
}

static void look(struct request *request, const struct router *router, const char *body)
{
    struct match match;
    const char *value;

    for (size_t i = 0; i < request->path.count && i < PATH_SEGMENTS_MAX; i++) {
        look_at_segment(request, request->path.segment[i]);
    }
    if (router_find(router, request, &match) == STATUS_OK) {
        MUST(match.target != NULL && match.pattern != NULL);
        must_be_clean(router_path(request, match.pattern));
        for (size_t i = 0; i < CAPTURES_MAX && request->capture[i] != NULL; i++) {
            must_be_clean(request->capture[i]);
        }
    }
    must_be_clean(router_allow(request->arena, match.allowed));
    if (query_value(request, "limit", &value) == STATUS_OK && value != NULL) {
        must_be_clean(value);
    }
    if (query_text(request, "term", &value) == STATUS_OK && value != NULL) {
        must_be_clean(value);
    }
    MUST(request_weight(request, "text/html") >= 0);
    look_at_body(request, body);
}

FUZZ_TARGET(request)
{
    static struct router *router;
    char *envp[PARAMETERS_MAX + 1];
    struct arena arena = {0};
    struct request request;

    if (router == NULL) {
        router = router_new();
        routes_add(router, true);
    }
    split(arena_copy(&arena, (const char *)data, size), envp);
    enum status status = request_init(&request, &arena, envp);
    MUST(request_id_is_valid(request.id));
    if (status == STATUS_OK) {
        look(&request, router, request_parameter(envp, "BODY"));
    }
    must_be_one_head(&request, status == STATUS_OK ? STATUS_NOT_FOUND : status);
    arena_release(&arena);
    return 0;
}
