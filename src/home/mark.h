/* What the processes of a pool tell each other about changes of the home page, in shared memory
 * without locks. Each worker has a cached page of its own (cache.h) and decides by the mark whether
 * the page still has what the database has.
 *
 *     worker   counts the writes of the pool   writes, before the response is sent
 *     watcher  publishes what it saw           sequence, server, xmax, then polled_us
 *     worker   wakes the watcher               requested_us, is_watcher_asleep
 *
 * sequence, server and xmax are a seqlock with one writer, the watcher: sequence is odd while the
 * writer changes the other two, and a reader that finds it odd or changed has no consistent values.
 * A reader does not retry, since a watcher that was killed leaves the sequence odd until the next
 * watcher publishes; it takes its page for stale instead. */
#ifndef CRUDDUR_HOME_MARK_H
#define CRUDDUR_HOME_MARK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct snapshot;

enum { MARK_IDLE_MS = 5000 /* without a request, before the watcher sleeps */ };

struct mark {
    _Atomic uint64_t writes;   /* of the pool, committed or possibly committed */
    _Atomic uint64_t sequence; /* of the seqlock; grows with each change that the watcher saw */
    _Atomic int64_t server;    /* this and xmax as in struct snapshot */
    _Atomic uint64_t xmax;
    _Atomic int64_t polled_us;    /* when the watcher's last successful poll began; monotonic */
    _Atomic int64_t requested_us; /* when a page was last requested, to 100 ms; monotonic */
    _Atomic uint32_t is_watcher_asleep; /* a futex (futex(2)): the watcher sleeps until it is 0 */
};

/* One reading of the mark. */
struct mark_view {
    int64_t polled_us;
    uint64_t writes;
    uint64_t sequence;
    int64_t server;
    uint64_t xmax;
    bool is_consistent; /* false: server and xmax belong to no one moment */
};

/* Shared with all children forked after this. NULL: no memory. */
struct mark *mark_new(void);

/* --- for workers --- */

/* Call this after a write of this pool has committed, or may have committed, and before its
 * response is sent. */
void mark_add_write(struct mark *mark);

/* Reads polled_us first: what a poll saw is published before its time. */
struct mark_view mark_read(const struct mark *mark);

/* Call this when a page is requested: keeps the watcher awake, or wakes it. */
void mark_request(struct mark *mark, int64_t now_us);

/* --- for the watcher --- */

/* Publishes what the last poll saw, if it differs from the poll before. */
void mark_publish(struct mark *mark, const struct snapshot *latest);

/* Publishes that a poll that began at this time has succeeded, after mark_publish(). */
void mark_set_polled(struct mark *mark, int64_t began_us);

/* Whether no page has been requested for MARK_IDLE_MS. */
bool mark_is_idle(const struct mark *mark);

/* Sleeps until a page is requested. */
void mark_wait_for_request(struct mark *mark);

/* --- for the master --- */

/* Makes all cached pages stale until the watcher polls again. The watcher must have ended. */
void mark_invalidate(struct mark *mark);

#endif
