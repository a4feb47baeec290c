#include "worker/tracer.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "api/status.h"
#include "base/clock.h"
#include "base/memory.h"
#include "db/statement.h"
#include "http/request.h"
#include "shared/spans.h"
#include "worker/exchange.h"

struct tracer {
    struct span_ring *ring;
    int sample;
    struct trace_ids ids;
};

struct tracer *tracer_new(struct span_ring *ring, int sample)
{
    struct tracer *tracer = memory_zeroed(sizeof *tracer);

    tracer->ring = ring;
    tracer->sample = sample;
    return tracer;
}

void tracer_free(struct tracer *tracer)
{
    memory_free(tracer);
}

/* --- the start of a request --- */

static bool read_trace_parent(char **parameters, struct trace_parent *parent)
{
    const char *w3c = request_parameter(parameters, "HTTP_TRACEPARENT");
    const char *amazon = request_parameter(parameters, "HTTP_X_AMZN_TRACE_ID");

    return (w3c != NULL && trace_read_w3c(w3c, parent)) ||
           (amazon != NULL && trace_read_amazon(amazon, parent));
}

static uint8_t scheme_of(char **parameters)
{
    const char *scheme = request_parameter(parameters, "REQUEST_SCHEME");

    if (scheme == NULL) {
        return SPAN_SCHEME_UNKNOWN;
    }
    return strcmp(scheme, "https") == 0  ? SPAN_SCHEME_HTTPS
           : strcmp(scheme, "http") == 0 ? SPAN_SCHEME_HTTP
                                         : SPAN_SCHEME_UNKNOWN;
}

static int64_t wall_clock_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void tracer_begin(struct tracer *tracer, char **parameters, struct request_span *span)
{
    struct trace_parent parent = {.decision = TRACE_UNDECIDED};
    struct trace *trace = &span->trace;

    if (read_trace_parent(parameters, &parent)) {
        memcpy(trace->id, parent.id, sizeof trace->id);
        memcpy(span->parent_id, parent.span_id, sizeof span->parent_id);
    } else {
        trace_ids_take(&tracer->ids, trace->id, sizeof trace->id);
    }
    trace->is_recorded =
        parent.decision == TRACE_SAMPLED ||
        (parent.decision == TRACE_UNDECIDED && trace_is_chosen(trace->id, tracer->sample));
    if (trace->is_recorded) {
        trace_ids_take(&tracer->ids, trace->span_id, sizeof trace->span_id);
        trace->offset_ns = wall_clock_ns() - clock_us() * 1000;
        span->scheme = scheme_of(parameters);
    }
}

/* --- spans --- */

/* The ring's next span, with the fields that all spans have; NULL: the ring is full. */
static struct span *begin_span(struct tracer *tracer, const struct trace *trace, int64_t start_us,
                               int64_t end_us)
{
    struct span *span = span_ring_reserve(tracer->ring);

    if (span != NULL) {
        memcpy(span->trace_id, trace->id, sizeof span->trace_id);
        span->start_ns = start_us * 1000 + trace->offset_ns;
        span->end_ns = end_us * 1000 + trace->offset_ns;
    }
    return span;
}

static void set_text(char *to, size_t size, const char *text)
{
    snprintf(to, size, "%s", text != NULL ? text : "");
}

void tracer_request(struct tracer *tracer, const struct exchange *exchange)
{
    const struct request_span *of = &exchange->span;
    const struct request *request = &exchange->request;
    const struct response *response = &exchange->response;
    struct span *span = begin_span(tracer, &of->trace, exchange->started_us,
                                   exchange->started_us + exchange->took_us);

    if (span == NULL) {
        return;
    }
    memcpy(span->id, of->trace.span_id, sizeof span->id);
    memcpy(span->parent_id, of->parent_id, sizeof span->parent_id);
    span->kind = SPAN_REQUEST;
    span->scheme = of->scheme;
    span->has_remote_parent = !trace_id_is_zero(of->parent_id, sizeof of->parent_id);
    span->http_status = (uint16_t)response->http;
    span->is_failed = response->http >= 500;
    set_text(span->method, sizeof span->method,
             request->method < METHOD_COUNT ? method_name(request->method) : NULL);
    set_text(span->name, sizeof span->name, exchange->route);
    set_text(span->outcome, sizeof span->outcome,
             response->failure != NULL ? response->failure : "ok");
    span_ring_commit(tracer->ring);
}

/* The statement's outcome; if it has none because it failed, the code of the failure. */
static const char *outcome_of(const struct result *result)
{
    return result->status != STATUS_OK ? status_code(result->status) : result->outcome;
}

void tracer_statement(void *context, const struct statement *statement, int64_t submitted_us,
                      const struct result *result)
{
    struct tracer *tracer = context;
    const struct trace *trace = &statement->trace;
    struct span *span =
        begin_span(tracer, trace, submitted_us, submitted_us + result->microseconds);

    if (span == NULL) {
        return;
    }
    trace_ids_take(&tracer->ids, span->id, sizeof span->id);
    memcpy(span->parent_id, trace->span_id, sizeof span->parent_id);
    span->kind = SPAN_STATEMENT;
    span->rows = result->outcome != NULL;
    span->is_failed = result->status != STATUS_OK;
    set_text(span->name, sizeof span->name, statement->def->name);
    set_text(span->sqlstate, sizeof span->sqlstate, result->sqlstate);
    set_text(span->outcome, sizeof span->outcome, outcome_of(result));
    span_ring_commit(tracer->ring);
}
