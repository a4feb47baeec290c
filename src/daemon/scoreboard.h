/* What each worker is doing, in memory shared by the master and its workers. Every field has one
 * writer, its worker; the master resets it before the fork and then only looks. */
#ifndef CRUDDUR_DAEMON_SCOREBOARD_H
#define CRUDDUR_DAEMON_SCOREBOARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/config.h"

enum worker_state { WORKER_STARTING, WORKER_IDLE, WORKER_BUSY, WORKER_DRAINING };

struct score {
    _Atomic int state;           /* enum worker_state */
    _Atomic(const char *) route; /* the last pattern served; static text, the same in all */
    _Atomic int64_t since_us;    /* when the state began, or its loop came round in it; monotonic */
    _Atomic uint64_t requests;   /* answered */
    _Atomic uint64_t failures;   /* of them with 5xx */
    _Atomic uint64_t connections; /* accepted or taken over */
};

/* Two per worker: while one is replaced, the old and the new one live at the same time. */
enum { SCORES_MAX = 2 * WORKERS_MAX };

struct scoreboard {
    struct score scores[SCORES_MAX];
};

/* Shared with all children forked after this. NULL: no memory. */
struct scoreboard *scoreboard_new(void);

void score_reset(struct score *score);
void score_set(struct score *score, enum worker_state state, const char *route);

/* The worker's loop has come round. Busy, with a request under way, it does so again and again;
 * else nothing is expected of it. */
void score_turn(struct score *score, bool is_busy);

#endif
