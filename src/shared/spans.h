/* The spans that the workers make and the exporter sends, in memory that they share without locks.
 *
 * Each worker's slot has a ring of its own with one writer, the worker, and one reader, the
 * exporter. Each side changes one position only, after it is done with the spans up to it:
 *
 *     worker    finds room, writes the span, then adds 1 to written
 *     exporter  sends the spans from taken to written, then sets taken
 *
 * A worker that is killed while it writes a span has not added 1, and the next worker in its slot
 * overwrites that span. An exporter that is killed has not set taken, and the next one sends the
 * same spans again; their ids are the same. If there is no room, the span is dropped and counted: a
 * worker never waits. Positions grow for ever; the index of a position is its remainder by
 * SPANS_PER_RING. */
#ifndef CRUDDUR_SHARED_SPANS_H
#define CRUDDUR_SHARED_SPANS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/counter.h"
#include "base/trace.h"
#include "shared/scoreboard.h"

enum {
    SPAN_RINGS = SCORES_MAX,
    SPANS_PER_RING = 2048, /* half a megabyte for each worker, once it has made so many */
    SPAN_METHOD_SIZE = 8,  /* this and the following: bytes, with a NUL */
    SPAN_SQLSTATE_SIZE = 6,
    SPAN_NAME_SIZE = 112,
    SPAN_OUTCOME_SIZE = 72
};

enum span_kind { SPAN_REQUEST, SPAN_STATEMENT };
enum span_scheme { SPAN_SCHEME_UNKNOWN, SPAN_SCHEME_HTTP, SPAN_SCHEME_HTTPS };

/* A span has no value that a client sent, except ids. Since the exporter does not trust a worker,
 * each byte is valid with any value: so there is no bool. */
struct span {
    unsigned char trace_id[TRACE_ID_SIZE];
    unsigned char id[SPAN_ID_SIZE];
    unsigned char parent_id[SPAN_ID_SIZE]; /* all zero: it is the root */
    int64_t start_ns, end_ns;              /* since 1970 */
    uint32_t rows;                         /* of a statement */
    uint16_t http_status;                  /* of a request */
    uint8_t kind;                          /* enum span_kind */
    uint8_t scheme;                        /* of a request; enum span_scheme */
    uint8_t is_failed;                     /* by the service: a 5xx, a statement without a result */
    uint8_t has_remote_parent;
    char method[SPAN_METHOD_SIZE]; /* of a request; "": one that cruddurd does not know */
    char sqlstate[SPAN_SQLSTATE_SIZE];
    char name[SPAN_NAME_SIZE];       /* the route, "" without one; or the statement's template */
    char outcome[SPAN_OUTCOME_SIZE]; /* the code of a failure, or a statement's outcome, or "" */
};

struct span_ring {
    _Alignas(SCORE_ALIGNMENT) _Atomic uint64_t written; /* the worker's */
    counter dropped;                                    /* likewise: spans that found no room */
    _Alignas(SCORE_ALIGNMENT) _Atomic uint64_t taken;   /* the exporter's */
    struct span spans[SPANS_PER_RING];
};

struct spans {
    uint64_t layout;           /* LAYOUT of the program that made this memory */
    _Atomic size_t rings_used; /* from the first; the memory of the others is not touched */
    /* Set by the master for the exporter. is_ending: the last worker has ended. is_left: another
     * program replaces the master, and only workers of the old one write to this memory. */
    _Atomic bool is_ending, is_left;
    counter exported, failed; /* the exporter's: spans that were accepted, or given up */
    struct span_ring rings[SPAN_RINGS];
};

/* Makes the memory, and its descriptor for a program that is executed. NULL: errno says why. */
struct spans *spans_new(int *fd);

/* Maps the memory in such a program. NULL: it cannot be mapped, or was made by another version. */
struct spans *spans_attach(int fd);

/* A worker is about to start in that slot. */
void spans_take(struct spans *spans, size_t slot);

uint64_t spans_dropped(const struct spans *spans);

/* --- for the worker --- */

/* Room for a span, zeroed; the span counts after span_ring_commit(). NULL: there is no room, and
 * the span is counted as dropped. */
struct span *span_ring_reserve(struct span_ring *ring);
void span_ring_commit(struct span_ring *ring);

/* --- for the exporter --- */

/* How many spans wait in the ring. */
size_t span_ring_waiting(const struct span_ring *ring);

/* One of the waiting spans; index 0 is the oldest. */
const struct span *span_ring_at(const struct span_ring *ring, size_t index);

/* Frees the room of the first `count` waiting spans. */
void span_ring_release(struct span_ring *ring, size_t count);

#endif
