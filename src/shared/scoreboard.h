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
    SCORE_ALIGNMENT = 64 /* so that no two scores share a cache line */
};

struct score {
    _Alignas(SCORE_ALIGNMENT) _Atomic int state; /* enum worker_state */
    /* Pattern of the current request, or NULL; static text, at one address in all processes. */
    _Atomic(const char *) route;
    _Atomic int64_t since_us; /* when the state or its last busy turn began; monotonic */
    counter connections;      /* accepted, or received by handover.h */
    _Atomic int open_connections;
    _Atomic int refused_call; /* the system call for which the worker's sandbox ended it */
    struct session_counts sessions[LANE_WORKER_COUNT]; /* by enum lane */
    struct cache_counts cache;
    struct stream_counts streams;
    struct replica_counts replica;
    struct refusals refusals;
    struct tally tally;
};

/* Two per worker: while a worker is replaced, the old and the new one run at the same time. */
enum { SCORES_MAX = 2 * WORKERS_MAX };

struct scoreboard {
    struct score scores[SCORES_MAX];
    /* How many of the scores, from the first, have had a worker. The memory of the others is not
     * touched. The master sets this and the following up to reloads_refused. */
    _Atomic size_t slots_used;
    _Atomic int workers_wanted;
    int64_t started_s; /* since 1970 */
    counter restarts;  /* workers started in place of one that ended by itself */
    counter reloads, reloads_refused;
    struct session_counts watcher, purger, prober; /* each set by its helper */
    struct timelines timelines;                    /* set by all processes with a session */
    struct pool_claims claims;     /* of the workers, by the slots of their scores */
    _Atomic bool has_old_sessions; /* of workers of the program that this one has replaced */
};

/* Shared with all children forked after this. NULL: no memory. */
struct scoreboard *scoreboard_new(void);

/* A worker is about to start in that slot. */
void scoreboard_take(struct scoreboard *scoreboard, size_t slot);

/* The worker in that slot has ended, or could not be started. */
void scoreboard_free(struct scoreboard *scoreboard, size_t slot);

/* Whether a worker that serves has a session with the database at this moment, not counting
 * sessions with replicas. scoreboard points to a struct scoreboard. */
bool scoreboard_has_sessions(const void *scoreboard);

/* The streams that are open in the whole pool. */
int scoreboard_streams(const struct scoreboard *scoreboard);

void score_set(struct score *score, enum worker_state state, const char *route);

/* The worker serves a request. A draining worker stays in WORKER_DRAINING, so that no other worker
 * passes a connection on for it. */
void score_request(struct score *score, const char *route);

/* Call this in each turn of the worker's loop. is_busy: a request is under way, so the master
 * expects the next turn soon (see --stuck-timeout); else the worker may sleep. */
void score_turn(struct score *score, bool is_busy);

#endif
