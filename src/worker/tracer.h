/* The spans of a worker: of each request one, and of each statement that it has run one below it.
 * They are written into the worker's ring (shared/spans.h). */
#ifndef CRUDDUR_WORKER_TRACER_H
#define CRUDDUR_WORKER_TRACER_H

#include <stdint.h>

#include "base/trace.h"

struct exchange;
struct result;
struct span_ring;
struct statement;
struct tracer;

/* sample: the percent of the traces without a decision of others that are recorded. To be called
 * in the worker, for its ids. */
struct tracer *tracer_new(struct span_ring *ring, int sample);
void tracer_free(struct tracer *tracer); /* NULL is allowed */

/* What the span of a request needs beyond its trace. */
struct request_span {
    struct trace trace;
    unsigned char parent_id[SPAN_ID_SIZE]; /* all zero: it is the root */
    uint8_t scheme;                        /* enum span_scheme */
};

/* A request has arrived with these CGI parameters: decides whether its trace is recorded, and gives
 * its span an id. A valid traceparent counts before an X-Amzn-Trace-Id. */
void tracer_begin(struct tracer *tracer, char **parameters, struct request_span *span);

/* The request of a recorded trace is over. */
void tracer_request(struct tracer *tracer, const struct exchange *exchange);

/* As statement_observe; context is the tracer. */
void tracer_statement(void *context, const struct statement *statement, int64_t submitted_us,
                      const struct result *result);

#endif
