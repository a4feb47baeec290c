/* Both forms of an error have the same codes. The array is what the frontends show. The problem
 * document has the request's id as well, for clients that ask for it by name; a client that
 * accepts anything gets the array. */
#include "api/problem.h"

#include <stdbool.h>
#include <string.h>

#include "api/status.h"
#include "base/arena.h"
#include "http/request.h"
#include "http/response.h"

/* ["message_blank","ttl_blank"] */
static const char *codes_array(struct arena *arena, const enum status *failures, size_t count)
{
    const char *list = "";

    for (size_t i = 0; i < count; i++) {
        list = arena_printf(arena, "%s%s\"%s\"", list, i > 0 ? "," : "", status_code(failures[i]));
    }
    return arena_printf(arena, "[%s]", list);
}

static const char *problem_document(const struct request *request, int http, const char *codes)
{
    return arena_printf(request->arena,
                        "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d,"
                        "\"codes\":%s,\"request_id\":\"%s\"}",
                        response_reason(http), http, codes, request->id);
}

/* The problem document is sent only if the Accept header names it, with a weight not below that of
 * the array. */
static bool wants_document(const struct request *request)
{
    int weight = request_weight(request, "application/problem+json");

    return weight > 0 && weight >= request_weight(request, "application/json");
}

static void respond(struct response *response, const struct request *request,
                    const enum status *failures, size_t count, int retry_after_s)
{
    int http = status_http(failures[0]);
    const char *body = codes_array(request->arena, failures, count);

    response->http = http;
    response->failure = status_code(failures[0]);
    response->content_type = "application/json";
    if (wants_document(request)) {
        body = problem_document(request, http, body);
        response->content_type = "application/problem+json";
    }
    response->body = body;
    response->body_length = strlen(body);
    if (status_is_passing(failures[0])) {
        response_header(response, "Retry-After",
                        arena_printf(request->arena, "%d", retry_after_s > 1 ? retry_after_s : 1));
    }
    if (failures[0] == STATUS_CONTENT_ENCODING_UNSUPPORTED) {
        response_header(response, "Accept-Encoding", "identity");
    }
    if (http == 401) {
        response_header(response, "WWW-Authenticate",
                        failures[0] == STATUS_UNAUTHENTICATED ? "Bearer" : "Cruddur-Signature");
    }
}

void problem_respond(struct response *response, const struct request *request,
                     const enum status *failures, size_t count)
{
    respond(response, request, failures, count, 1);
}

void problem_respond_later(struct response *response, const struct request *request,
                           enum status failure, int retry_after_s)
{
    respond(response, request, &failure, 1, retry_after_s);
}

void problem_respond_one(struct response *response, const struct request *request,
                         enum status failure)
{
    problem_respond(response, request, &failure, 1);
}
