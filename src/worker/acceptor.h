/* New connections of a worker: from the accept queue of the listening socket, and from the handover
 * queue, which has the connections that other workers passed on (shared/handover.h).
 *
 * The acceptor also balances the connections of the pool, because the kernel does not: a busy
 * worker returns to the listening socket before an idle worker that was woken for the same
 * connection runs, so the busiest workers get most connections. With four workers, two of them had
 * nearly all connections, and requests waited twice as long. So a worker that has more than
 * ACCEPTOR_AHEAD_MAX connections more than another worker puts a new connection into the handover
 * queue. The connection ends at the worker with the fewest, because each worker that is ahead
 * passes it on again. Connections with an open stream (stream.h) are counted apart. They matter
 * only if the other worker does not have more connections without a stream, so that a worker with
 * few streams does not get most of the requests.
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
 * may be busy or stuck. After such a timeout the worker keeps all connections for
 * ACCEPTOR_KEEP_MS. */
#ifndef CRUDDUR_WORKER_ACCEPTOR_H
#define CRUDDUR_WORKER_ACCEPTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "db/statement.h"
#include "worker/watch.h"

struct clients;
struct worker_setup;

enum {
    ACCEPTOR_AHEAD_MAX = 2, /* how many more connections than another worker it may have */
    ACCEPTOR_STREAMS_AHEAD_MAX = 16,
    ACCEPTOR_POLL_MS = 1,      /* between two checks of the handover queue while YIELDING */
    ACCEPTOR_PATIENCE_MS = 10, /* of YIELDING */
    ACCEPTOR_KEEP_MS = 100,
    ACCEPTOR_PAUSE_MS = 100, /* between two checks for free descriptors while PAUSED */
    ACCEPTOR_LOG_MS = 60000, /* between two lines about PAUSED */
    /* Descriptors that are not for connections: for each lane a session, a look-up, and a file or a
     * query of the resolver. */
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
 * states. Call this in each turn of the loop, after the events. */
void acceptor_proceed(struct acceptor *acceptor);

/* Milliseconds until acceptor_proceed has something to do without an event, or -1. */
int acceptor_wait_ms(const struct acceptor *acceptor);

/* Takes all connections that are left in the queues. Call this in a worker that ends, after
 * acceptor_close(). The accept queue of a shared socket is left to the process that goes on
 * listening. */
void acceptor_drain(struct acceptor *acceptor);

#endif
