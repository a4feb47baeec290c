/* How many workers may be started in how short a time: a few at once, then one per second, so that
 * workers that end right after their start do not cause a storm of forks. */
#ifndef CRUDDUR_MASTER_RESPAWN_H
#define CRUDDUR_MASTER_RESPAWN_H

#include <stdbool.h>
#include <stdint.h>

enum { RESPAWN_BURST = 10 /* respawns at once */, RESPAWN_REFILL_MS = 1000 /* for one more */ };

struct respawn_budget {
    int left;
    int64_t refilled_ms; /* when left was last brought up to date */
};

void respawn_budget_init(struct respawn_budget *budget, int64_t now_ms);

/* Whether one more worker may start now. If so, its token is taken. */
bool respawn_budget_take(struct respawn_budget *budget, int64_t now_ms);

#endif
