/* The master's state, for the files that work on it: supervisor.c has the loop and all that does
 * not depend on a HUP, reload.c what a HUP changes. No other file includes this one. */
#ifndef CRUDDUR_MASTER_SUPERVISOR_PRIVATE_H
#define CRUDDUR_MASTER_SUPERVISOR_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "helper/helper.h"
#include "helper/key_fetcher.h"
#include "helper/prober.h"
#include "helper/purger.h"
#include "helper/span_exporter.h"
#include "helper/watcher.h"
#include "master/listen.h"
#include "master/pool.h"
#include "master/respawn.h"
#include "master/upgrade.h"

/* See reload.c. */
enum reload_state { RELOAD_NONE, RELOAD_TRIAL, RELOAD_ROLLING_OUT };

/* The master's state. It owns all generations by way of the pool. Its loop polls: every
 * TICK_BUSY_MS while something changes (is_unsettled), else every TICK_IDLE_MS or at a signal. */
struct supervisor {
    struct pool pool;
    struct generation *current;
    /* The highest number of the workers of an earlier program, until a reload of this one has
     * succeeded; then 0. */
    int inherited;
    enum reload_state reload;
    struct generation *next; /* in RELOAD_ROLLING_OUT; else NULL */
    int rolled_out;
    int64_t retry_ms; /* when a reload tries a failed fork again */
    struct respawn_budget budget;
    bool is_throttled;
    bool is_reload_wanted;
    struct listener listener;
    struct key_fetcher fetcher;
    struct helper old_fetcher; /* of the replaced program, whose workers need it */
    struct upgrade upgrade;
    struct watcher watcher;
    struct purger purger;
    struct prober prober;
    struct span_exporter exporter;
    bool is_stopping;
    int64_t watchdog_ms; /* when systemd must be notified again */
    char **environment, **argv;
    int argc;
};

/* reload.c. Starts a worker; one of a generation that has not run yet must prove that it can. */
bool reload_start_worker(struct supervisor *supervisor, int number, struct generation *generation);

/* The numbers that have a worker of the current generation when no reload is under way. */
int reload_numbers(const struct supervisor *supervisor);

/* Call this when a HUP came, or when one that came before can be followed. */
void reload_begin(struct supervisor *supervisor);

/* Call this in RELOAD_ROLLING_OUT, once in each turn of the loop. */
void reload_advance(struct supervisor *supervisor);

/* The trial of another program has ended. */
void reload_end_trial(struct supervisor *supervisor, bool has_passed);

/* A worker has ended. If it was a new one, and the old one of its number was not asked to leave
 * yet, its generation cannot run, and the reload is given up. */
void reload_worker_ended(struct supervisor *supervisor, const struct child *child);

#endif
