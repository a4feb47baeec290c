/* Makes a worker's spans: one for each request, and below it one for each statement that was run
 * for the request. They are written into the worker's ring (shared/spans.h). */
#ifndef CRUDDUR_WORKER_TRACER_H
#define CRUDDUR_WORKER_TRACER_H

#include <stdint.h>

#include "base/trace.h"

struct exchange;
struct result;
struct span_ring;
struct statement;
struct tracer;

/* sample: how many percent of the traces are recorded, among those that no header has decided on.
 * Call this in the worker, because a forked process must not use its parent's ids. */
struct tracer *tracer_new(struct span_ring *ring, int sample);
void tracer_free(struct tracer *tracer); /* NULL is allowed */

/* What the span of a request needs beyond its trace. */
struct request_span {
    struct trace trace;
    unsigned char parent_id[SPAN_ID_SIZE]; /* all zero: it is the root */
    uint8_t scheme;                        /* enum span_scheme */
};

/* Call this when a request has arrived, with its CGI parameters. Decides whether its trace is
 * recorded, and gives its span an id. A valid traceparent has precedence over X-Amzn-Trace-Id. */
void tracer_begin(struct tracer *tracer, char **parameters, struct request_span *span);

/* Writes the span of a request that is over and whose trace is recorded. */
void tracer_request(struct tracer *tracer, const struct exchange *exchange);

/* As statement_observe; context is the tracer. */
void tracer_statement(void *context, const struct statement *statement, int64_t submitted_us,
                      const struct result *result);

#endif
