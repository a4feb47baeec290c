/* What the pool's processes tell each other about changes of the home feed, in shared memory: the workers that a write
 * went out, the watcher that it saw one from elsewhere, the workers that a page was asked for. */
#ifndef CRUDDUR_HOME_MARK_H
#define CRUDDUR_HOME_MARK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "home/snapshot.h"

enum { FEED_REST_MS = 5000 /* without a request, before the watcher rests */ };

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

/* To be called when a page that may be kept is asked for: wakes the watcher if it rests. */
void feed_mark_wanted(struct feed_mark *mark, int64_t now_us);

/* Whether no page has been asked for, for FEED_REST_MS: nothing needs to be watched for. */
bool feed_mark_is_idle(const struct feed_mark *mark);

/* Returns when a page is asked for again. For the watcher. */
void feed_mark_rest(struct feed_mark *mark);

#endif
