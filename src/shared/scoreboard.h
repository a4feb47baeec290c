/* What each worker is doing and has done, in memory shared by the master and its workers. A worker
 * writes to its own slot only, so that there are no locks. The counters of a slot stay when its
 * worker ends, and the next worker in the slot continues them. */
#ifndef CRUDDUR_SHARED_SCOREBOARD_H
#define CRUDDUR_SHARED_SCOREBOARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/counter.h"
#include "db/catalog.h"
#include "db/session.h"
#include "db/statement.h"
#include "db/timelines.h"
#include "shared/claims.h"
#include "shared/counts.h"

enum worker_state {
    WORKER_NONE, /* the slot is free */
    WORKER_STARTING,
    WORKER_IDLE,
    WORKER_BUSY,
    WORKER_DRAINING,
    WORKER_STATES
};

enum {
    WORKERS_MAX = 64,
    SCORE_ALIGNMENT = 64 /* so that no two share a cache line */
};

struct score {
    _Alignas(SCORE_ALIGNMENT) _Atomic int state; /* enum worker_state */
    _Atomic(const char *) route; /* the last pattern served; static text, the same in all */
    _Atomic int64_t since_us;    /* when the state began, or its loop came round in it; monotonic */
    counter connections;         /* accepted or taken over */
    _Atomic int open_connections;
    _Atomic int refused_call; /* the system call for which the worker's sandbox ended it */
    struct session_counts sessions[LANE_WORKER_COUNT]; /* by enum lane */
    struct cache_counts cache;
    struct stream_counts streams;
    struct replica_counts replica;
    struct refusals refusals;
    struct tally tally;
};

/* Two per worker: while one is replaced, the old and the new one live at the same time. */
enum { SCORES_MAX = 2 * WORKERS_MAX };

struct scoreboard {
    struct score scores[SCORES_MAX];
    /* The rest is the master's, and the watcher's. */
    /* The first ones, which have had a worker. The memory of the others is not touched. */
    _Atomic size_t slots_used;
    _Atomic int workers_wanted;
    int64_t started_s; /* since 1970 */
    counter restarts;  /* workers that replaced one that ended by itself */
    counter reloads, reloads_refused;
    struct session_counts watcher, purger, prober;
    struct timelines timelines;    /* every session's */
    struct pool_claims claims;     /* of the workers, by the slots of their scores */
    _Atomic bool has_old_sessions; /* workers of the program that this one has replaced have some */
};

/* Shared with all children forked after this. NULL: no memory. */
struct scoreboard *scoreboard_new(void);

/* A worker is about to start in that slot. */
void scoreboard_take(struct scoreboard *scoreboard, size_t slot);

/* The worker in that slot has ended, or could not be started. */
void scoreboard_free(struct scoreboard *scoreboard, size_t slot);

/* Whether a worker that serves has a session with the database at this moment, replicas aside.
 * scoreboard is one. */
bool scoreboard_has_sessions(const void *scoreboard);

/* The streams that are open in the whole pool. */
int scoreboard_streams(const struct scoreboard *scoreboard);

void score_set(struct score *score, enum worker_state state, const char *route);

/* The worker serves a request. One that drains goes on draining: no connection is meant for it. */
void score_request(struct score *score, const char *route);

/* Call this in each turn of the worker's loop. is_busy: a request is under way, so the master
 * expects the next turn soon (see --stuck-timeout); else the worker may sleep. */
void score_turn(struct score *score, bool is_busy);

#endif
