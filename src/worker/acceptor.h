/* New connections of a worker: from the accept queue of the listening socket, and from the handover
 * queue, which has the connections that other workers passed on (shared/handover.h).
 *
 * The acceptor also balances the connections of the pool. Left to itself the kernel is unfair: a
 * busy worker comes round to the listening socket before an idle one that was woken for the same
 * connection runs, so that the busiest workers get most connections. With four workers two had
 * nearly all of them, and requests waited twice as long. So a worker that has more than
 * ACCEPTOR_AHEAD_MAX connections more than another one puts a new connection into the handover
 * queue. The connection ends at the worker with the fewest, because each that is ahead passes it on
 * again. Connections with an open stream (stream.h) are counted apart: they decide only between
 * workers that have as many of the others, so that a worker with few streams does not get most of
 * the requests.
 *
 * States:
 *
 *     CLOSED ──open──► TAKING
 *     TAKING ──passes a connection on──► YIELDING ──others took it, or time is over──► TAKING
 *     TAKING, YIELDING ──no descriptors──► PAUSED ──descriptors are free──► TAKING
 *
 *     TAKING    reads both queues
 *     YIELDING  reads the accept queue only, so that it does not take back what it passed on
 *     PAUSED    reads neither
 *
 * YIELDING ends at the latest after ACCEPTOR_PATIENCE_MS, since the workers with fewer connections
 * may be busy or stuck. For ACCEPTOR_KEEP_MS after that the worker keeps all connections. */
#ifndef CRUDDUR_WORKER_ACCEPTOR_H
#define CRUDDUR_WORKER_ACCEPTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "db/statement.h"
#include "worker/watch.h"

struct clients;
struct worker_setup;

enum {
    ACCEPTOR_AHEAD_MAX = 2, /* connections more than another worker that it may have */
    ACCEPTOR_STREAMS_AHEAD_MAX = 16,
    ACCEPTOR_POLL_MS = 1,      /* between two checks of the handover queue while YIELDING */
    ACCEPTOR_PATIENCE_MS = 10, /* of YIELDING */
    ACCEPTOR_KEEP_MS = 100,
    ACCEPTOR_PAUSE_MS = 100, /* between two checks for free descriptors while PAUSED */
    ACCEPTOR_LOG_MS = 60000, /* between two lines about PAUSED */
    /* Descriptors that are not for connections: a session of each lane, and for each a look-up and a
     * file or a query of the resolver. */
    ACCEPTOR_RESERVE = 3 * LANE_WORKER_COUNT
};

enum acceptor_state { ACCEPTOR_CLOSED, ACCEPTOR_TAKING, ACCEPTOR_YIELDING, ACCEPTOR_PAUSED };

struct acceptor {
    const struct worker_setup *setup;
    struct clients *clients;
    int epoll_fd;
    enum acceptor_state state;
    int64_t state_end_ms;   /* of YIELDING and PAUSED */
    int64_t keeps_until_ms; /* no connection is passed on before this */
    int64_t logged_ms;      /* when PAUSED was last logged; 0: never */
    struct watch accept_watch, handover_watch;
    bool is_accept_ready, is_handover_ready; /* events of this turn of the loop */
};

/* Begins to read both queues. False: errno says why. */
bool acceptor_open(struct acceptor *acceptor);
void acceptor_close(struct acceptor *acceptor);

/* Takes at most one connection from each queue that had an event, and enforces the times of the
 * states. To be called in each turn of the loop, after the events. */
void acceptor_proceed(struct acceptor *acceptor);

/* Milliseconds until acceptor_proceed has something to do without an event, or -1. */
int acceptor_wait_ms(const struct acceptor *acceptor);

/* Takes all connections that are left in the queues, for a worker that ends and has closed its
 * acceptor. The accept queue of a shared socket is left to the process that goes on listening. */
void acceptor_drain(struct acceptor *acceptor);

#endif
