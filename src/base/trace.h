/* The identity of a trace and of its spans, and the two headers that carry it: W3C's traceparent
 * (Trace Context, version 00) and AWS's X-Amzn-Trace-Id. */
#ifndef CRUDDUR_BASE_TRACE_H
#define CRUDDUR_BASE_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum { TRACE_ID_SIZE = 16, SPAN_ID_SIZE = 8 /* bytes; all zero is no id */ };

/* The trace of a request and of its statements. */
struct trace {
    bool is_recorded; /* false: the request has no spans, and the other members no meaning */
    unsigned char id[TRACE_ID_SIZE];
    unsigned char span_id[SPAN_ID_SIZE]; /* of the request's span, the parent of those of its
                                            statements */
    /* Wall clock less monotonic clock when the request began, ns. All times of a request's spans
     * are computed with it, so that they stay consistent when the wall clock is set. */
    int64_t offset_ns;
};

enum trace_decision { TRACE_UNDECIDED, TRACE_NOT_SAMPLED, TRACE_SAMPLED };

/* The content of one of the headers. */
struct trace_parent {
    unsigned char id[TRACE_ID_SIZE];
    unsigned char span_id[SPAN_ID_SIZE]; /* all zero: the header names no parent */
    enum trace_decision decision;
};

/* Reads a traceparent, as traceparent_is_valid() takes it. False: it is none, and *parent is
 * zeroed. */
MUST_CHECK bool trace_read_w3c(const char *text, struct trace_parent *parent);

/* Reads an X-Amzn-Trace-Id: Root=1-<8 hex>-<24 hex>, and optionally Parent=<16 hex> and
 * Sampled=0, 1 or ?, in any order and among other fields, separated by ';'. Hex digits are lower
 * case. False: it is none, and *parent is zeroed. */
MUST_CHECK bool trace_read_amazon(const char *text, struct trace_parent *parent);

/* Random bytes of the kernel, enough for several ids. Zeroed: none yet. A forked process must not
 * use its parent's. */
struct trace_ids {
    unsigned char bytes[240];
    size_t left;
};

/* Makes an id of size bytes, at most TRACE_ID_SIZE; not all zero. */
void trace_ids_take(struct trace_ids *ids, unsigned char *id, size_t size);

bool trace_id_is_zero(const unsigned char *id, size_t size);

/* Whether to record a trace for which no header has decided. True for percent of all ids. Depends
 * on the id alone, so that all hosts decide alike. */
bool trace_is_chosen(const unsigned char id[static TRACE_ID_SIZE], int percent);

/* An id in lower-case hex, size bytes of it and a NUL. */
void trace_id_text(const unsigned char *id, size_t size, char *text);

#endif
