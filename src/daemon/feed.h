/* The newest page of the home feed, kept as the database gave it and served without asking again
 * while nothing can have changed: no write went out from this host, the watcher saw none that isn't in
 * it, and nothing in it has expired. One copy per worker and page length. */
#ifndef CRUDDUR_DAEMON_FEED_H
#define CRUDDUR_DAEMON_FEED_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/counter.h"
#include "db/connection.h"
#include "db/snapshot.h"

/* What the pool's processes tell each other, in shared memory. */
struct feed_mark {
    _Atomic uint64_t generation; /* another one after each write of the pool */
    _Atomic uint64_t changes;    /* another one after each change that the watcher saw; odd while it
                                    notes what it saw then, as in struct snapshot: */
    _Atomic int64_t server;
    _Atomic uint64_t xmax;
    _Atomic int64_t looked_us; /* when its last successful look began, monotonic */
    _Atomic int64_t
        wanted_us; /* when a page that may be kept was last asked for, about; monotonic */
    _Atomic uint32_t is_resting; /* the watcher sleeps until this is 0; a futex (futex(2)) */
};

/* Shared with all children forked after this. NULL: no memory. */
struct feed_mark *feed_mark_new(void);

/* To be called when a write of the pool is committed, or may be, before anybody is told. */
void feed_mark_written(struct feed_mark *mark);

/* Nothing kept counts until the watcher has looked again. Call this after the watcher has ended. */
void feed_mark_blind(struct feed_mark *mark);

/* To be called by the watcher when it saw a change: whoever doesn't cover the snapshot is out of date. */
void feed_mark_changed(struct feed_mark *mark, const struct snapshot *latest);

/* Whether no page has been asked for, for FEED_REST_MS: nothing needs to be watched for. */
bool feed_mark_is_idle(const struct feed_mark *mark);

/* Returns when a page is asked for again. For the watcher. */
void feed_mark_rest(struct feed_mark *mark);

/* What came of those who asked for a page that may be kept. */
struct feed_counts {
    counter kept;   /* it was there */
    counter shared; /* it was being fetched for others */
    counter asked;  /* it was fetched */
};

struct feed_settings {
    struct feed_mark *mark;
    int watch_ms;     /* between the watcher's looks */
    bool wants_week4; /* the shape of the frontend of week 4 */
    int stale_s;      /* how long a page is served, marked as stale, while the database is away */
    struct feed_counts *counts;
};

enum {
    FEED_PAGES_MAX = 4,   /* lengths for which a page is kept; further ones ask the database */
    FEED_REST_MS = 5000,  /* without a request, before the watcher rests */
    FEED_LOOKS_MISSED = 5 /* of the watcher, before nothing is served without asking: a write from
                             elsewhere is seen after so many times watch_ms at the latest */
};

struct feed;

/* All must outlive it. */
struct feed *feed_new(const struct feed_settings *settings, const struct statement_runner *reads);
void feed_free(struct feed *feed); /* NULL is allowed */

/* Whether the statement asks for a page that may be kept. */
bool feed_takes(const struct statement *statement);

/* As connection_submit, for such a statement. Whoever asks while the page is being fetched gets what
 * comes, if nothing was written in between. */
void feed_submit(struct feed *feed, const struct statement *statement, statement_done *done,
                 void *context);

#endif
