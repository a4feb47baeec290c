#include "worker/exchange.h"

#include <arpa/inet.h>
#include <string.h>
#include <time.h>

#include "api/problem.h"
#include "api/status.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/trace.h"
#include "config/config.h"
#include "http/body.h"
#include "http/cors.h"
#include "http/etag.h"
#include "http/page.h"
#include "http/router.h"
#include "identity/signature.h"
#include "worker/refusals.h"
#include "worker/tracer.h"

enum {
    CLIENT_CLOSED_REQUEST = 499, /* nginx's own */
    REFUSED_STREAM_RETRY_S = 10
};

void exchange_release(struct exchange *exchange)
{
    arena_release(&exchange->arena);
    response_release(&exchange->response);
    buf_release(&exchange->head);
    *exchange = (struct exchange){0};
}

/* Finds the endpoint. OPTIONS has none, nor has a request that is answered with 404, 405 or 501. */
static enum status route(struct exchange *exchange, const struct service *service)
{
    struct request *request = &exchange->request;
    struct match match;
    enum status status = router_find(service->router, request, &match);

    exchange->route = match.pattern;
    exchange->endpoint = match.target;
    if (status == STATUS_METHOD_NOT_ALLOWED) {
        response_header(&exchange->response, "Allow", router_allow(request->arena, match.allowed));
    }
    return status;
}

/* Determines the caller, for an endpoint that needs it. STATUS_OK with CALLER_PENDING: the keys are
 * being fetched. */
static enum status identify(struct exchange *exchange, bool may_wait)
{
    const struct request *request = &exchange->request;

    exchange->caller = caller_identify(&exchange->service->identity, request->authorization,
                                       request->remote_addr, may_wait, &exchange->arena);
    switch (exchange->caller.kind) {
    case CALLER_BY_HANDLE:
    case CALLER_BY_TOKEN:
    case CALLER_PENDING:
        return STATUS_OK;
    case CALLER_UNDECIDED:
        return STATUS_KEYS_UNAVAILABLE;
    case CALLER_REFUSED:
        refusals_note(exchange->service->refusals, request, &exchange->caller);
        break;
    case CALLER_ANONYMOUS:
        break;
    }
    return STATUS_UNAUTHENTICATED;
}

/* Determines the caller where the identity is optional. A token that cannot be verified, or not
 * yet, counts as no token. */
static void identify_viewer(struct exchange *exchange)
{
    if (identify(exchange, false) != STATUS_OK) {
        exchange->caller = (struct caller){.kind = CALLER_ANONYMOUS};
    }
}

/* Whether the body is signed with the hook's secret. */
static enum status check_signature(const struct exchange *exchange)
{
    const struct request *request = &exchange->request;
    struct buf secret = {0};

    if (!config_hook_secret(exchange->service->config, &secret)) {
        buf_wipe(&secret);
        return STATUS_INTERNAL;
    }
    enum signature_verdict verdict = signature_verify(
        request->signature, secret.bytes, request->body, request->body_length, (int64_t)time(NULL));
    buf_wipe(&secret);
    switch (verdict) {
    case SIGNATURE_GOOD:
        return STATUS_OK;
    case SIGNATURE_EXPIRED:
        return STATUS_SIGNATURE_EXPIRED;
    case SIGNATURE_REFUSED:
        break;
    }
    return STATUS_SIGNATURE_INVALID;
}

/* Reads body and query, and calls the handler. The caller is known. */
static enum decision handle(struct exchange *exchange)
{
    const struct endpoint *endpoint = exchange->endpoint;
    const struct config *config = exchange->service->config;
    struct request *request = &exchange->request;
    enum status status = STATUS_OK;
    enum decision decision = DECISION_RESPOND;
    struct json *body = NULL;

    if (endpoint->takes_body) {
        status = body_open(request, (size_t)config->body_max, &body);
    }
    if (status == STATUS_OK && endpoint->is_list) {
        status = page_from_query(request, endpoint->rows != 0 ? endpoint->rows : PAGE_LIMIT_DEFAULT,
                                 &exchange->call.page);
    }
    if (status == STATUS_OK && endpoint->is_list) {
        status = endpoint_check_since(endpoint, &exchange->call.page);
    }
    if (status == STATUS_OK) {
        exchange->call.body = body;
        decision = endpoint->handle(&exchange->call, &exchange->response, &exchange->statement);
        exchange->statement.trace = exchange->span.trace;
        exchange->call.body = NULL;
    } else {
        problem_respond_one(&exchange->response, request, status);
    }
    json_free(body);
    return decision;
}

enum decision exchange_resume(struct exchange *exchange, bool may_wait)
{
    enum status status = STATUS_OK;

    switch (exchange->endpoint->access) {
    case ACCESS_ANYONE:
        break;
    case ACCESS_VIEWER:
        identify_viewer(exchange);
        break;
    case ACCESS_CALLER:
        status = identify(exchange, may_wait);
        break;
    case ACCESS_HOOK:
        status = check_signature(exchange);
        break;
    }
    if (status != STATUS_OK) {
        problem_respond_one(&exchange->response, &exchange->request, status);
        return DECISION_RESPOND;
    }
    return exchange->caller.kind == CALLER_PENDING ? DECISION_WAIT : handle(exchange);
}

/* The response to a request that has no endpoint, or whose rest was not read. OPTIONS is answered
 * on every path of a route. A preflight is answered on other paths, too: without an answer the
 * browser would not send the call, and the page would not see the 404 of the call. */
static void answer_without_endpoint(struct exchange *exchange, enum status status)
{
    const struct request *request = &exchange->request;
    bool is_options = status == STATUS_METHOD_NOT_ALLOWED && request->method == METHOD_OPTIONS;

    if (is_options ||
        (status == STATUS_NOT_FOUND && cors_is_preflight(&exchange->service->cors, request))) {
        response_empty(&exchange->response);
    } else {
        problem_respond_one(&exchange->response, request, status);
    }
}

/* What the handler sees of the request and the settings. */
static struct call call_of(struct exchange *exchange)
{
    const struct service *service = exchange->service;
    const struct config *config = service->config;

    return (struct call){
        .request = &exchange->request,
        .caller = &exchange->caller,
        .default_handle = config->default_handle,
        .posts_per_hour = config->posts_per_hour,
        .messages_per_hour = config->messages_per_hour,
        .reports_per_hour = config->reports_per_hour,
        .user_pool = config->cognito_pool,
        .wants_week4 = config->compat == COMPAT_WEEK4,
        .repeat_window_s = config->repeat_window,
        .metrics_source = service->metrics_source.write != NULL ? &service->metrics_source : NULL,
    };
}

enum decision exchange_begin(struct exchange *exchange, const struct service *service,
                             char **parameters, const struct exchange_input *input)
{
    struct request *request = &exchange->request;

    exchange->started_us = clock_us();
    exchange->service = service;
    enum status status = request_init(request, &exchange->arena, parameters);
    exchange->call = call_of(exchange);
    if (service->tracer != NULL) {
        tracer_begin(service->tracer, parameters, &exchange->span);
    }
    request->body = input->body;
    request->body_length = input->body_length;
    if (input->is_local && request->remote_addr == NULL) {
        request->remote_addr = LOCAL_PEER;
    }
    if (status == STATUS_OK) {
        status = input->status;
    }
    if (status == STATUS_OK) {
        status = route(exchange, service);
    }
    if (status == STATUS_OK) {
        return exchange_resume(exchange, true);
    }
    answer_without_endpoint(exchange, status);
    return DECISION_RESPOND;
}

const char *exchange_requester(struct exchange *exchange)
{
    const char *address = exchange->request.remote_addr;
    struct in6_addr parsed;
    const uint8_t *bytes = parsed.s6_addr;

    if (exchange->caller.kind == CALLER_BY_TOKEN) {
        return exchange->caller.subject;
    }
    if (address == NULL || inet_pton(AF_INET6, address, &parsed) != 1) {
        return address != NULL ? address : "";
    }
    if (IN6_IS_ADDR_V4MAPPED(&parsed)) { /* a socket for both protocols has accepted IPv4 */
        return arena_printf(&exchange->arena, "%d.%d.%d.%d", bytes[12], bytes[13], bytes[14],
                            bytes[15]);
    }
    return arena_printf(&exchange->arena, "%02x%02x:%02x%02x:%02x%02x:%02x%02x::/64", bytes[0],
                        bytes[1], bytes[2], bytes[3], bytes[4], bytes[5], bytes[6], bytes[7]);
}

/* A stale page gets no entity tag, because the tag would say that the page is current.
 * (Cache-Status: RFC 9211.) */
static void add_cache_headers(struct exchange *exchange, const struct result *result,
                              const struct cache_info *info)
{
    if (result->stale_s > 0) {
        response_header(&exchange->response, "Cache-Status",
                        arena_printf(&exchange->arena, "cruddurd; hit; ttl=-%d", result->stale_s));
    } else if (info != NULL) {
        etag_apply(&exchange->response, &exchange->request, info->etag);
    }
}

void exchange_result(struct exchange *exchange, const struct result *result,
                     const struct cache_info *info)
{
    exchange->database_us = result->microseconds;
    memcpy(exchange->sqlstate, result->sqlstate, sizeof exchange->sqlstate);
    endpoint_finish(exchange->endpoint, &exchange->call, result, &exchange->response);
    add_cache_headers(exchange, result, info);
}

/* Bytes of body that go out. */
static size_t sent_length(const struct exchange *exchange)
{
    return exchange->request.method == METHOD_HEAD ? 0 : exchange->response.body_length;
}

void exchange_answer(struct exchange *exchange, const char **head, size_t *head_length,
                     const char **body, size_t *body_length)
{
    struct response *response = &exchange->response;

    cors_apply(&exchange->service->cors, &exchange->request, response);
    response_head(response, &exchange->request, &exchange->head);
    *head = exchange->head.bytes;
    *head_length = exchange->head.length;
    *body = response->body;
    *body_length = sent_length(exchange);
    exchange->took_us = clock_us() - exchange->started_us;
}

/* The ids that lead from the log line to the request's span and back. */
static void log_trace(struct log_line *line, const struct trace *trace)
{
    char id[2 * TRACE_ID_SIZE + 1], span_id[2 * SPAN_ID_SIZE + 1];

    if (trace->is_recorded) {
        trace_id_text(trace->id, TRACE_ID_SIZE, id);
        trace_id_text(trace->span_id, SPAN_ID_SIZE, span_id);
        log_string(line, "trace_id", id);
        log_string(line, "span_id", span_id);
    }
}

static void log_request(const struct exchange *exchange)
{
    const struct response *response = &exchange->response;

    if (!log_wants(LOG_INFO)) {
        return;
    }
    struct log_line line = log_begin(LOG_INFO, "request");
    log_string(&line, "request_id", exchange->request.id);
    log_string(&line, "traceparent",
               exchange->request.traceparent[0] != '\0' ? exchange->request.traceparent : NULL);
    log_trace(&line, &exchange->span.trace);
    log_string(&line, "method", method_name(exchange->request.method));
    log_string(&line, "route", exchange->route != NULL ? exchange->route : "-");
    log_integer(&line, "status", response->http);
    log_string(&line, "code", response->failure);
    log_integer(&line, "bytes", (int64_t)sent_length(exchange));
    log_milliseconds(&line, "ms", exchange->took_us);
    log_milliseconds(&line, "db_ms", exchange->database_us);
    log_string(&line, "sqlstate", exchange->sqlstate[0] != '\0' ? exchange->sqlstate : NULL);
    log_end(&line);
}

void exchange_report(const struct exchange *exchange)
{
    log_request(exchange);
    if (exchange->span.trace.is_recorded) {
        tracer_request(exchange->service->tracer, exchange);
    }
}

void exchange_refuse_stream(struct exchange *exchange)
{
    response_release(&exchange->response);
    problem_respond_later(&exchange->response, &exchange->request, STATUS_STREAMS_EXCEED_MAX,
                          REFUSED_STREAM_RETRY_S);
}

void exchange_trim(struct exchange *exchange)
{
    int http = exchange->response.http;

    response_release(&exchange->response);
    exchange->response.http = http;
    arena_release(&exchange->arena);
    buf_release(&exchange->head);
}

void exchange_end_stream(struct exchange *exchange, uint64_t bytes)
{
    exchange->response.body_length = bytes;
    exchange->took_us = clock_us() - exchange->started_us;
    exchange_report(exchange);
    exchange_release(exchange);
}

void exchange_abandon(struct exchange *exchange)
{
    exchange->response.http = CLIENT_CLOSED_REQUEST;
    exchange->took_us = clock_us() - exchange->started_us;
    exchange_report(exchange);
}
