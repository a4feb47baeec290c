/* HUP replaces the workers, after the program itself if another one is installed.
 *
 *     NONE ──HUP──► ROLLING_OUT ──all numbers have a new worker, or one failed──► NONE
 *     NONE ──HUP, another program is installed──► TRIAL ──failed──► NONE
 *                                                 TRIAL ──passed──► the program is executed
 *
 * ROLLING_OUT starts the new worker of a number and then asks the old one to leave, from number 1
 * up. Numbers up to rolled_out have a worker of the next generation, the others one of the current
 * generation; respawn() in supervisor.c keeps it that way. If a new worker fails, the next
 * generation is left and the current one stays. After an upgrade the current generation may have no
 * worker but those of the earlier program, and it is not known whether it can run; then the workers
 * that have been rolled out stay, too, as workers of the current generation. A HUP that comes
 * meanwhile is remembered in is_reload_wanted; several count as one. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/routes.h"
#include "base/clock.h"
#include "base/counter.h"
#include "base/log.h"
#include "config/config.h"
#include "db/link.h"
#include "db/statement.h"
#include "helper/helper.h"
#include "helper/span_exporter.h"
#include "home/mark.h"
#include "master/listen.h"
#include "master/pool.h"
#include "master/respawn.h"
#include "master/supervisor_private.h"
#include "master/upgrade.h"
#include "shared/replicas.h"

enum {
    FORK_RETRY_MS = 1000,
    /* For a new worker to reach its loop, before the reload is given up. It tries its sessions one
     * after the other, each for up to LINK_FITS_MS. */
    READY_WAIT_MS = LANE_WORKER_COUNT * LINK_FITS_MS + 10000
};

/* While workers of an earlier program serve and no reload of this one has succeeded, it is not
 * known whether workers of the current generation can run. */
static bool is_proven(const struct supervisor *supervisor, const struct generation *generation)
{
    return generation == supervisor->current &&
           (supervisor->inherited == 0 || !pool_has_adopted(&supervisor->pool));
}

bool reload_start_worker(struct supervisor *supervisor, int number, struct generation *generation)
{
    return pool_start(&supervisor->pool, number, generation, !is_proven(supervisor, generation));
}

int reload_numbers(const struct supervisor *supervisor)
{
    return supervisor->inherited > 0 ? supervisor->inherited : supervisor->current->config.workers;
}

/* Reads the settings. Logs each line of errors about them. */
static bool reread_settings(const struct supervisor *supervisor, struct config *config)
{
    char *complaints = NULL;
    size_t length;
    FILE *errors = open_memstream(&complaints, &length);

    if (errors == NULL) {
        return false;
    }
    bool good =
        config_read(config, supervisor->environment, supervisor->argc, supervisor->argv, errors);
    fclose(errors);
    for (char *rest = complaints, *line; (line = strsep(&rest, "\n")) != NULL;) {
        if (*line != '\0') {
            log_message(LOG_ERROR, "settings", "%s", line);
        }
    }
    free(complaints);
    return good;
}

/* The first settings with a collector make the memory for spans. Workers that are started from then
 * on share it. */
static bool prepare_spans(struct supervisor *supervisor, const struct config *config)
{
    if (!span_exporter_prepare(&supervisor->exporter, config)) {
        log_errno(LOG_ERROR, "supervisor", "memory for spans");
        return false;
    }
    supervisor->pool.setup.spans = supervisor->exporter.spans;
    return true;
}

static struct generation *read_generation(struct supervisor *supervisor)
{
    struct generation *generation = pool_add_generation(&supervisor->pool);

    if (reread_settings(supervisor, &generation->config) &&
        listen_allows(&supervisor->listener, &generation->config)) {
        generation->catalog = routes_load_catalog(generation->config.sql_dir);
    }
    if (generation->catalog == NULL || !prepare_spans(supervisor, &generation->config)) {
        pool_leave_generation(&supervisor->pool, generation);
        return NULL;
    }
    return generation;
}

static bool differ(const char *one, const char *other)
{
    return strcmp(one != NULL ? one : "", other != NULL ? other : "") != 0;
}

/* The socket stays open across a reload, and what hardening_apply() takes away does not come
 * back. */
static void warn_of_fixed_settings(const struct config *old, const struct config *new)
{
    if (differ(old->listen, new->listen) || differ(old->listen_group, new->listen_group) ||
        old->listen_mode != new->listen_mode || old->backlog != new->backlog ||
        old->core_dumps != new->core_dumps) {
        log_message(LOG_WARNING, "supervisor",
                    "HUP: listen, listen-group, listen-mode, backlog and core-dumps change with a "
                    "restart only");
    }
}

/* --- another program --- */

static void refuse_program(struct supervisor *supervisor)
{
    counter_add(&supervisor->pool.scoreboard->reloads_refused, 1);
    log_message(
        LOG_ERROR, "supervisor",
        "HUP: the new program does not start or does not know this one's inheritance, or its "
        "settings or templates are wrong or refused by the database; the old one stays");
}

static void try_program(struct supervisor *supervisor)
{
    log_message(LOG_INFO, "supervisor", "HUP: another program is installed: trying it");
    if (upgrade_try(&supervisor->upgrade, supervisor->argv, &supervisor->listener,
                    supervisor->pool.scoreboard)) {
        supervisor->reload = RELOAD_TRIAL;
    } else {
        refuse_program(supervisor);
    }
}

/* The workers of the old program and of the new one count writes in different memory. So no cached
 * page of any of them may be fresh, and the new workers get no watcher while there are old ones
 * (ensure_helpers). */
static void execute_program(struct supervisor *supervisor)
{
    helper_end(&supervisor->old_fetcher); /* of an earlier program, whose workers leave */
    helper_end(&supervisor->watcher.helper);
    helper_end(&supervisor->purger.helper);
    helper_end(&supervisor->prober.helper);
    span_exporter_leave(&supervisor->exporter, &supervisor->current->config);
    mark_divide(supervisor->watcher.mark);
    replicas_invalidate(supervisor->prober.replicas);
    upgrade_execute(&supervisor->upgrade, supervisor->argv, &supervisor->listener,
                    &supervisor->pool, supervisor->fetcher.helper.pid);
    log_errno(LOG_ERROR, "supervisor", "%s", supervisor->upgrade.program);
    span_exporter_stay(&supervisor->exporter);
    refuse_program(supervisor);
}

void reload_end_trial(struct supervisor *supervisor, bool has_passed)
{
    supervisor->reload = RELOAD_NONE;
    if (supervisor->is_stopping) {
        return;
    }
    if (has_passed) {
        execute_program(supervisor);
    } else {
        refuse_program(supervisor);
    }
}

/* --- the reload --- */

void reload_begin(struct supervisor *supervisor)
{
    bool is_busy = supervisor->reload != RELOAD_NONE;

    supervisor->is_reload_wanted = is_busy;
    if (is_busy || supervisor->is_stopping) {
        return;
    }
    if (upgrade_is_due(&supervisor->upgrade)) {
        try_program(supervisor);
        return;
    }
    supervisor->next = read_generation(supervisor);
    if (supervisor->next == NULL) {
        counter_add(&supervisor->pool.scoreboard->reloads_refused, 1);
        log_message(LOG_ERROR, "supervisor",
                    "HUP: the new settings or templates are wrong; "
                    "the old ones stay in force");
        return;
    }
    warn_of_fixed_settings(&supervisor->current->config, &supervisor->next->config);
    prober_note_settings(&supervisor->prober, &supervisor->next->config);
    log_message(LOG_INFO, "supervisor", "HUP: replacing the workers");
    supervisor->reload = RELOAD_ROLLING_OUT;
    supervisor->rolled_out = 0;
    supervisor->retry_ms = 0;
    respawn_budget_init(&supervisor->budget, clock_ms());
}

/* Starts the current generation's workers that have left. The budget is not for them: they did not
 * end by themselves. respawn() tries again where this fails. */
static void restart_replaced(struct supervisor *supervisor)
{
    int numbers = reload_numbers(supervisor);

    for (int number = 1; number <= supervisor->rolled_out && number <= numbers; number++) {
        if (pool_find(&supervisor->pool, number, supervisor->current) == NULL) {
            reload_start_worker(supervisor, number, supervisor->current);
        }
    }
}

/* After an upgrade both generations are of this program, and their settings are those of its start
 * and of the reload that follows at once. */
static void keep_rolled_out(struct supervisor *supervisor)
{
    if (supervisor->inherited > 0) {
        pool_reassign(&supervisor->pool, supervisor->next, supervisor->current,
                      supervisor->rolled_out);
    }
}

static void abandon_reload(struct supervisor *supervisor)
{
    counter_add(&supervisor->pool.scoreboard->reloads_refused, 1);
    log_message(LOG_ERROR, "supervisor", "HUP: the new workers cannot run; the old set stays");
    keep_rolled_out(supervisor);
    restart_replaced(supervisor);
    pool_retire(&supervisor->pool, supervisor->next);
    pool_leave_generation(&supervisor->pool, supervisor->next);
    supervisor->reload = RELOAD_NONE;
    supervisor->next = NULL;
    respawn_budget_init(&supervisor->budget, clock_ms());
}

static void note_reload(const struct supervisor *supervisor)
{
    counter_add(&supervisor->pool.scoreboard->reloads, 1);
    atomic_store(&supervisor->pool.scoreboard->workers_wanted, supervisor->current->config.workers);
}

static void finish_reload(struct supervisor *supervisor)
{
    pool_retire(&supervisor->pool, supervisor->current); /* those above the new number of workers */
    pool_leave_generation(&supervisor->pool, supervisor->current);
    supervisor->current = supervisor->next;
    supervisor->inherited = 0;
    supervisor->reload = RELOAD_NONE;
    supervisor->next = NULL;
    note_reload(supervisor);
    log_setup((enum log_level)supervisor->current->config.log_level,
              (enum log_format)supervisor->current->config.log_format);
    /* ensure_helpers() starts them again, with the new settings. */
    helper_stop(&supervisor->fetcher.helper);
    helper_stop(&supervisor->watcher.helper);
    helper_stop(&supervisor->purger.helper);
    helper_stop(&supervisor->prober.helper);
    span_exporter_restart(&supervisor->exporter);
    log_message(LOG_INFO, "supervisor", "HUP: all workers replaced");
}

/* If the first worker cannot be forked, the reload is given up. For later ones fork is tried once a
 * second, and both generations serve meanwhile, because going back would need new processes,
 * too. */
static void start_replacement(struct supervisor *supervisor, int number)
{
    if (clock_ms() < supervisor->retry_ms || !pool_has_slot(&supervisor->pool)) {
        return;
    }
    if (reload_start_worker(supervisor, number, supervisor->next)) {
        return;
    }
    supervisor->retry_ms = clock_ms() + FORK_RETRY_MS;
    if (number == 1) {
        abandon_reload(supervisor);
    }
}

/* One worker at a time: the new one first, then the old one leaves. */
void reload_advance(struct supervisor *supervisor)
{
    int number = supervisor->rolled_out + 1;

    if (number > supervisor->next->config.workers) {
        finish_reload(supervisor);
        return;
    }
    struct child *replacement = pool_find(&supervisor->pool, number, supervisor->next);
    if (replacement == NULL) {
        start_replacement(supervisor, number);
        return;
    }
    if (!pool_has_begun(&supervisor->pool, replacement)) {
        if (clock_ms() - replacement->started_ms > READY_WAIT_MS) {
            abandon_reload(supervisor);
        }
        return;
    }
    struct child *old = pool_find(&supervisor->pool, number, supervisor->current);
    if (old != NULL) {
        pool_ask_to_leave(old, SIGUSR1);
    }
    supervisor->rolled_out = number;
}

void reload_worker_ended(struct supervisor *supervisor, const struct child *child)
{
    if (child->generation != NULL && child->generation == supervisor->next &&
        child->number > supervisor->rolled_out && child->state != CHILD_LEAVING) {
        abandon_reload(supervisor);
    }
}
