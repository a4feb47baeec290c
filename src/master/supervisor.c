#include "master/supervisor.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "api/routes.h"
#include "base/clock.h"
#include "base/counter.h"
#include "base/log.h"
#include "config/config.h"
#include "db/catalog.h"
#include "db/link.h"
#include "helper/helper.h"
#include "helper/key_fetcher.h"
#include "helper/purger.h"
#include "helper/watcher.h"
#include "home/mark.h"
#include "identity/caller.h"
#include "identity/keys.h"
#include "master/listen.h"
#include "master/pool.h"
#include "master/respawn.h"
#include "master/systemd.h"
#include "master/upgrade.h"

enum {
    FORK_RETRY_MS = 1000,
    TICK_BUSY_MS = 10,   /* between looks while workers come or go */
    TICK_IDLE_MS = 1000, /* otherwise */
    /* For a new worker to get to its loop, before the reload is given up. It tries its sessions one
     * after the other, each for up to LINK_FITS_MS. */
    READY_WAIT_MS = LANE_WORKER_COUNT * LINK_FITS_MS + 10000
};

/* HUP replaces the workers, after the program itself if another one is installed.
 *
 *     NONE ──HUP──► ROLLING_OUT ──all numbers have a new worker, or one failed──► NONE
 *     NONE ──HUP, another program is installed──► TRIAL ──failed──► NONE
 *                                                 TRIAL ──passed──► the program is executed
 *
 * ROLLING_OUT starts the new worker of a number and then asks the old one to leave, from number 1
 * up. Numbers up to rolled_out have a worker of the next generation, the others one of the current
 * one; respawn() keeps it that way. The first generation that fails is left, the other one stays. A
 * HUP that comes meanwhile is remembered in is_reload_wanted, once. */
enum reload_state { RELOAD_NONE, RELOAD_TRIAL, RELOAD_ROLLING_OUT };

/* The master's state. It owns all generations by way of the pool. Its loop polls: every
 * TICK_BUSY_MS while something changes (is_unsettled), else every TICK_IDLE_MS or at a signal. */
struct supervisor {
    struct pool pool;
    struct generation *current;
    enum reload_state reload;
    struct generation *next; /* in RELOAD_ROLLING_OUT; else NULL */
    int rolled_out;
    int64_t retry_ms; /* of the reload, when there was no process for the next worker */
    struct respawn_budget budget;
    bool is_throttled;
    bool is_reload_wanted;
    struct listener listener;
    struct key_fetcher fetcher;
    struct helper old_fetcher; /* of the program that this one has replaced, for its workers */
    struct upgrade upgrade;
    struct watcher watcher;
    struct purger purger;
    bool is_stopping;
    int64_t watchdog_ms; /* when systemd wants to hear from us again */
    char **environment, **argv;
    int argc;
};

static bool start(struct supervisor *supervisor, int number, struct generation *generation)
{
    return pool_start(&supervisor->pool, number, generation, generation == supervisor->next);
}

/* --- replacing the pool (HUP) --- */

/* Reads the settings; what is wrong with them goes to the log, line by line. */
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

static struct generation *read_generation(struct supervisor *supervisor)
{
    struct generation *generation = pool_add_generation(&supervisor->pool);

    if (reread_settings(supervisor, &generation->config) &&
        listen_allows(&supervisor->listener, &generation->config)) {
        generation->catalog = routes_load_catalog(generation->config.sql_dir);
    }
    if (generation->catalog == NULL) {
        pool_leave_generation(&supervisor->pool, generation);
        return NULL;
    }
    return generation;
}

static bool differ(const char *one, const char *other)
{
    return strcmp(one != NULL ? one : "", other != NULL ? other : "") != 0;
}

/* The socket stays open across a reload. */
static void warn_of_fixed_settings(const struct config *old, const struct config *new)
{
    if (differ(old->listen, new->listen) || differ(old->listen_group, new->listen_group) ||
        old->listen_mode != new->listen_mode || old->backlog != new->backlog) {
        log_message(
            LOG_WARNING, "supervisor",
            "HUP: listen, listen-group, listen-mode and backlog change with a restart only");
    }
}

/* --- another program (HUP, when one is installed) --- */

static void refuse_program(struct supervisor *supervisor)
{
    counter_add(&supervisor->pool.scoreboard->reloads_refused, 1);
    log_message(LOG_ERROR, "supervisor",
                "HUP: the new program does not start, or refuses its settings or templates; "
                "the old one stays");
}

static void try_program(struct supervisor *supervisor)
{
    log_message(LOG_INFO, "supervisor", "HUP: another program is installed: trying it");
    if (upgrade_try(&supervisor->upgrade, supervisor->argv)) {
        supervisor->reload = RELOAD_TRIAL;
    } else {
        refuse_program(supervisor);
    }
}

/* Workers of the old program and of the new one have different memory for the count of writes. So
 * no cached page of an old worker may be fresh any more, and the new workers get no watcher while
 * old ones are left (ensure_helpers). */
static void execute_program(struct supervisor *supervisor)
{
    helper_end(&supervisor->watcher.helper);
    helper_end(&supervisor->purger.helper);
    mark_invalidate(supervisor->watcher.mark);
    upgrade_execute(&supervisor->upgrade, supervisor->argv, &supervisor->listener,
                    &supervisor->pool, supervisor->fetcher.helper.pid);
    log_errno(LOG_ERROR, "supervisor", "%s", supervisor->upgrade.program);
    refuse_program(supervisor);
}

static void end_trial(struct supervisor *supervisor, bool has_passed)
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

static void begin_reload(struct supervisor *supervisor)
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
    log_message(LOG_INFO, "supervisor", "HUP: replacing the workers");
    supervisor->reload = RELOAD_ROLLING_OUT;
    supervisor->rolled_out = 0;
    supervisor->retry_ms = 0;
    respawn_budget_init(&supervisor->budget, clock_ms());
}

static void abandon_reload(struct supervisor *supervisor)
{
    counter_add(&supervisor->pool.scoreboard->reloads_refused, 1);
    log_message(LOG_ERROR, "supervisor", "HUP: the new workers cannot run; the old set stays");
    pool_retire(&supervisor->pool, supervisor->next);
    pool_leave_generation(&supervisor->pool, supervisor->next);
    supervisor->reload = RELOAD_NONE;
    supervisor->next = NULL;
    respawn_budget_init(&supervisor->budget, clock_ms()); /* for the old ones that left already */
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
    supervisor->reload = RELOAD_NONE;
    supervisor->next = NULL;
    note_reload(supervisor);
    log_setup((enum log_level)supervisor->current->config.log_level,
              (enum log_format)supervisor->current->config.log_format);
    /* ensure_helpers() starts them again, with the new settings. */
    helper_stop(&supervisor->fetcher.helper);
    helper_stop(&supervisor->watcher.helper);
    helper_stop(&supervisor->purger.helper);
    log_message(LOG_INFO, "supervisor", "HUP: all workers replaced");
}

/* If the first worker cannot be forked, the reload is given up. For later ones fork is tried once a
 * second, and both generations serve meanwhile: to go back would need new processes, too. */
static void start_replacement(struct supervisor *supervisor, int number)
{
    if (clock_ms() < supervisor->retry_ms || !pool_has_slot(&supervisor->pool)) {
        return;
    }
    if (start(supervisor, number, supervisor->next)) {
        return;
    }
    supervisor->retry_ms = clock_ms() + FORK_RETRY_MS;
    if (number == 1) {
        abandon_reload(supervisor);
    }
}

/* One worker at a time: the new one first, then the old one leaves. */
static void advance_reload(struct supervisor *supervisor)
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

/* --- keeping it running --- */

/* A new worker that ends before the old one was asked to leave shows that its generation cannot
 * run. */
static void worker_ended(struct supervisor *supervisor, const struct child *who)
{
    if (who->generation != NULL && who->generation == supervisor->next &&
        who->number > supervisor->rolled_out && who->state != CHILD_LEAVING) {
        abandon_reload(supervisor);
    }
}

static void reap(struct supervisor *supervisor)
{
    struct child who;
    int wait_status;
    bool has_passed;
    pid_t pid;

    while ((pid = waitpid(-1, &wait_status, WNOHANG)) > 0) {
        if (pool_reap(&supervisor->pool, pid, wait_status, &who)) {
            worker_ended(supervisor, &who);
        } else if (upgrade_reap_trial(&supervisor->upgrade, pid, &has_passed)) {
            end_trial(supervisor, has_passed);
        } else if (!helper_reap(&supervisor->old_fetcher, pid) &&
                   !helper_reap(&supervisor->fetcher.helper, pid) &&
                   !helper_reap(&supervisor->watcher.helper, pid)) {
            helper_reap(&supervisor->purger.helper, pid);
        }
    }
}

/* Starts a worker in place of one that ended. False when that has to wait. */
static bool respawn_one(struct supervisor *supervisor, int number, struct generation *generation)
{
    if (!pool_has_slot(&supervisor->pool)) {
        return false;
    }
    if (!respawn_budget_take(&supervisor->budget, clock_ms())) {
        if (!supervisor->is_throttled) {
            log_message(LOG_ERROR, "supervisor",
                        "workers end too fast: starting at most one per second");
        }
        supervisor->is_throttled = true;
        return false;
    }
    bool is_started = start(supervisor, number, generation);
    counter_add(&supervisor->pool.scoreboard->restarts, is_started);
    return is_started;
}

/* Starts the workers that are missing: one for each number, of the next generation up to
 * rolled_out. */
static void respawn(struct supervisor *supervisor)
{
    int rolled_out = supervisor->reload == RELOAD_ROLLING_OUT ? supervisor->rolled_out : 0;
    bool is_complete = true;

    for (int number = 1; number <= rolled_out && is_complete; number++) {
        is_complete = pool_find(&supervisor->pool, number, supervisor->next) != NULL ||
                      respawn_one(supervisor, number, supervisor->next);
    }
    for (int number = rolled_out + 1; number <= supervisor->current->config.workers && is_complete;
         number++) {
        is_complete = pool_find(&supervisor->pool, number, supervisor->current) != NULL ||
                      respawn_one(supervisor, number, supervisor->current);
    }
    supervisor->is_throttled = supervisor->is_throttled && !is_complete;
}

static void begin_stop(struct supervisor *supervisor, int signal_number)
{
    log_message(LOG_INFO, "supervisor", "ending");
    systemd_notify("STOPPING=1");
    supervisor->is_stopping = true;
    helper_stop(&supervisor->fetcher.helper);
    helper_stop(&supervisor->old_fetcher);
    helper_stop(&supervisor->watcher.helper);
    helper_stop(&supervisor->purger.helper);
    /* No new connections, before the workers look for the last time. */
    listen_close(&supervisor->listener);
    pool_end(&supervisor->pool, signal_number);
}

static bool has_children(const struct supervisor *supervisor)
{
    return supervisor->fetcher.helper.pid != 0 || supervisor->watcher.helper.pid != 0 ||
           supervisor->purger.helper.pid != 0 || supervisor->old_fetcher.pid != 0 ||
           supervisor->upgrade.trial != 0 ||
           pool_running(&supervisor->pool) + pool_leaving(&supervisor->pool) > 0;
}

static bool lacks_a_helper(const struct supervisor *supervisor)
{
    const struct config *config = &supervisor->current->config;

    return (key_fetcher_is_wanted(config) && supervisor->fetcher.helper.pid == 0) ||
           (watcher_is_wanted(config) && supervisor->watcher.helper.pid == 0) ||
           (purger_is_wanted(config) && supervisor->purger.helper.pid == 0);
}

static bool is_unsettled(const struct supervisor *supervisor)
{
    return supervisor->is_stopping || supervisor->reload != RELOAD_NONE ||
           lacks_a_helper(supervisor) || pool_leaving(&supervisor->pool) > 0 ||
           pool_running(&supervisor->pool) < supervisor->current->config.workers;
}

static void feed_watchdog(struct supervisor *supervisor)
{
    int interval_ms = systemd_watchdog_ms();

    if (interval_ms > 0 && clock_ms() >= supervisor->watchdog_ms) {
        systemd_notify("WATCHDOG=1");
        supervisor->watchdog_ms = clock_ms() + interval_ms;
    }
}

static void handle_signal(struct supervisor *supervisor, int signal_number)
{
    switch (signal_number) {
    case SIGTERM:
    case SIGINT:
        if (!supervisor->is_stopping) {
            begin_stop(supervisor, SIGTERM);
        }
        break;
    case SIGQUIT:
        begin_stop(supervisor, SIGKILL);
        break;
    case SIGHUP:
        begin_reload(supervisor);
        break;
    default: /* SIGCHLD: every look reaps; or the tick is over */
        break;
    }
}

static int wait_for_signal(const struct supervisor *supervisor, const sigset_t *signals)
{
    int tick_ms = is_unsettled(supervisor) ? TICK_BUSY_MS : TICK_IDLE_MS;
    int watchdog_ms = systemd_watchdog_ms();

    if (watchdog_ms > 0 && watchdog_ms < tick_ms) {
        tick_ms = watchdog_ms;
    }
    struct timespec tick = {.tv_sec = tick_ms / 1000, .tv_nsec = tick_ms % 1000 * 1000000L};
    return sigtimedwait(signals, NULL, &tick);
}

static void ensure_helpers(struct supervisor *supervisor)
{
    const struct generation *current = supervisor->current;

    key_fetcher_ensure(&supervisor->fetcher, &current->config);
    if (!pool_has_adopted(&supervisor->pool)) {
        helper_stop(&supervisor->old_fetcher);
        atomic_store(&supervisor->pool.scoreboard->has_old_sessions, false);
        watcher_ensure(&supervisor->watcher, &current->config, current->catalog);
    }
    purger_ensure(&supervisor->purger, &current->config, current->catalog);
}

static void run(struct supervisor *supervisor, const sigset_t *signals)
{
    while (!supervisor->is_stopping || has_children(supervisor)) {
        handle_signal(supervisor, wait_for_signal(supervisor, signals));
        reap(supervisor);
        pool_enforce(&supervisor->pool);
        upgrade_enforce(&supervisor->upgrade, supervisor->is_stopping);
        if (!supervisor->is_stopping) {
            if (supervisor->reload == RELOAD_ROLLING_OUT) {
                advance_reload(supervisor);
            } else if (supervisor->is_reload_wanted) {
                begin_reload(supervisor);
            }
            respawn(supervisor);
            ensure_helpers(supervisor);
        }
        feed_watchdog(supervisor);
    }
}

static void block_signals(sigset_t *signals)
{
    static const int handled[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGCHLD, SIGUSR1, SIGUSR2};

    sigemptyset(signals);
    for (size_t i = 0; i < sizeof handled / sizeof handled[0]; i++) {
        sigaddset(signals, handled[i]);
    }
    /* A parent may have had SIGCHLD or others ignored; then they could not be waited for. */
    for (size_t i = 0; i < sizeof handled / sizeof handled[0]; i++) {
        signal(handled[i], SIG_DFL);
    }
    sigprocmask(SIG_BLOCK, signals, NULL);
    signal(SIGPIPE, SIG_IGN); /* the reader of the log may have ended */
    signal(SIGXFSZ, SIG_IGN); /* a log at its limit loses lines, the process stays */
}

/* The pool, with a socket and shared memory of its own, or with those of the program that this
 * process executed before. */
static bool open_pool(struct supervisor *supervisor)
{
    if (upgrade_is_inherited()) {
        return upgrade_inherit(&supervisor->listener, &supervisor->pool, supervisor->current,
                               &supervisor->old_fetcher.pid);
    }
    return pool_open(&supervisor->pool);
}

/* Makes everything that the workers inherit by fork. */
static bool prepare(struct supervisor *supervisor)
{
    const struct config *config = &supervisor->current->config;
    struct pool *pool = &supervisor->pool;

    supervisor->current->catalog = routes_load_catalog(config->sql_dir);
    if (supervisor->current->catalog == NULL ||
        (!upgrade_is_inherited() && !listen_open(config, &supervisor->listener))) {
        return false;
    }
    keys_prepare();
    if (!open_pool(supervisor) || !key_fetcher_prepare(&supervisor->fetcher, config) ||
        !watcher_prepare(&supervisor->watcher, &pool->scoreboard->watcher)) {
        log_errno(LOG_ERROR, "supervisor", "start");
        return false;
    }
    supervisor->purger.mark = supervisor->watcher.mark;
    supervisor->purger.counts = &pool->scoreboard->purger;
    pool->setup.listen_fd = supervisor->listener.fd;
    pool->setup.is_shared = supervisor->listener.is_shared;
    pool->setup.is_handed_over = supervisor->listener.is_handed_over;
    pool->setup.keypage = &supervisor->fetcher.link;
    pool->setup.mark = supervisor->watcher.mark;
    atomic_store(&pool->scoreboard->workers_wanted, config->workers);
    return true;
}

static void start_all(struct supervisor *supervisor)
{
    int workers = supervisor->current->config.workers;

    for (int number = 1; number <= workers; number++) {
        start(supervisor, number, supervisor->current);
    }
    respawn_budget_init(&supervisor->budget, clock_ms());
    log_message(LOG_INFO, "supervisor", "cruddurd %s runs with %d workers", PACKAGE_VERSION,
                workers);
}

static void serve(struct supervisor *supervisor, const sigset_t *signals)
{
    const struct config *config = &supervisor->current->config;

    if (config->identity == IDENTITY_HANDLE) {
        log_message(LOG_WARNING, "supervisor",
                    "handle mode: whoever reaches this host's loopback may post as anyone");
    }
    if (geteuid() == 0) {
        log_message(LOG_WARNING, "supervisor",
                    "it runs as root, which it needs for nothing: give it a user of its own");
    }
    if (pool_has_adopted(&supervisor->pool)) {
        log_message(LOG_INFO, "supervisor", "HUP: cruddurd %s has taken over", PACKAGE_VERSION);
        begin_reload(supervisor);
    } else {
        start_all(supervisor);
    }
    systemd_notify("READY=1");
    run(supervisor, signals);
    log_message(LOG_INFO, "supervisor", "ended");
}

int supervise(struct config *config, char **environment, int argc, char **argv)
{
    struct supervisor supervisor = {
        .listener.fd = -1, .environment = environment, .argc = argc, .argv = argv};
    sigset_t signals;

    upgrade_init(&supervisor.upgrade);
    supervisor.current = pool_add_generation(&supervisor.pool);
    supervisor.current->config = *config;
    block_signals(&signals);
    bool is_prepared = prepare(&supervisor);
    if (is_prepared) {
        serve(&supervisor, &signals);
    }
    listen_close(&supervisor.listener);
    pool_free(&supervisor.pool);
    upgrade_release(&supervisor.upgrade);
    return is_prepared ? EXIT_SUCCESS : EXIT_FAILURE;
}
