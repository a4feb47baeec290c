/* What the processes of a pool publish to each other about changes of the home page, in shared
 * memory without locks. Each worker has a cached page of its own (cache.h) and decides by the mark
 * whether the page still has what the database has.
 *
 *     worker   counts the writes of the pool   writes, before the response is sent
 *     watcher  publishes what it saw           sequence, server, xmax, then polled_us
 *     worker   wakes the watcher               requested_us, streamed_us, sleep
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

enum { MARK_IDLE_MS = 5000 /* without a request or a stream, before the watcher sleeps */ };

/* How the watcher sleeps, and what ends the sleep. */
enum mark_sleep {
    MARK_AWAKE,
    MARK_RESTING, /* until a page is requested or a stream is open */
    MARK_PAUSING  /* while streams are open: until a page is requested, or for a time */
};

struct mark {
    _Atomic uint64_t writes;   /* of the pool, committed or possibly committed */
    _Atomic uint64_t sequence; /* of the seqlock; grows with each change that the watcher saw */
    _Atomic int64_t server;    /* this and xmax as in struct snapshot */
    _Atomic uint64_t xmax;
    _Atomic int64_t polled_us;    /* when the watcher's last successful poll began; monotonic */
    _Atomic int64_t requested_us; /* when a page was last requested, to 100 ms; monotonic */
    _Atomic int64_t streamed_us;  /* when a stream was last open, likewise */
    _Atomic uint32_t sleep;       /* enum mark_sleep; a futex (futex(2)) */
    _Atomic bool is_divided;      /* workers of another program count their writes elsewhere */
};

/* One reading of the mark. */
struct mark_view {
    int64_t polled_us;
    uint64_t writes;
    uint64_t sequence;
    int64_t server;
    uint64_t xmax;
    bool is_consistent; /* false: server and xmax may be of different moments */
    bool is_divided;    /* writes lacks some of this pool */
};

/* Shared with all children forked after this. NULL: no memory. */
struct mark *mark_new(void);

/* --- for workers --- */

/* Call this after a write of this pool has committed, or may have committed, and before its
 * response is sent. */
void mark_add_write(struct mark *mark);

/* Reads polled_us before what a poll saw, because the watcher publishes them in the other order;
 * and is_divided before writes, likewise. */
struct mark_view mark_read(const struct mark *mark);

/* Call this when a page is requested: keeps the watcher awake, or wakes it. */
void mark_request(struct mark *mark, int64_t now_us);

/* Call this often, every MARK_IDLE_MS at least, while a stream is open: keeps the watcher from
 * resting, or wakes it from rest. */
void mark_stream(struct mark *mark, int64_t now_us);

/* --- for the watcher --- */

/* Publishes what the last poll saw. Call this only if that differs from what the poll before
 * saw. */
void mark_publish(struct mark *mark, const struct snapshot *latest);

/* Publishes that a poll that began at this time has succeeded, after mark_publish(). */
void mark_set_polled(struct mark *mark, int64_t began_us);

/* Whether a page has been requested within MARK_IDLE_MS. */
bool mark_is_requested(const struct mark *mark);

/* Whether no page has been requested and no stream was open for MARK_IDLE_MS. */
bool mark_is_idle(const struct mark *mark);

/* Sleeps until a page is requested or a stream is open. */
void mark_rest(struct mark *mark);

/* Sleeps for that time, or until a page is requested. */
void mark_pause(struct mark *mark, int ms);

/* --- for the master --- */

/* Call this when a program takes over from another one, whose workers count their writes in other
 * memory, in either program: from now on no cached page is fresh and no request joins a fill. The
 * watcher must have ended, and must not run before mark_unite(). */
void mark_divide(struct mark *mark);

/* All workers count their writes here. Without effect if the mark is not divided. */
void mark_unite(struct mark *mark);

#endif
