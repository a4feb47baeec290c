/* The loop of the master: signals, processes that ended, processes that are missing. The master
 * handles no request and has no session. The workers inherit what the master makes before it forks
 * them. The master ends when it was asked to and its last child has ended, so for a service manager
 * the service ends with this process. */
#include "master/supervisor.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "api/routes.h"
#include "base/clock.h"
#include "base/counter.h"
#include "base/log.h"
#include "config/config.h"
#include "helper/helper.h"
#include "helper/key_fetcher.h"
#include "helper/prober.h"
#include "helper/purger.h"
#include "helper/span_exporter.h"
#include "helper/watcher.h"
#include "home/mark.h"
#include "identity/caller.h"
#include "identity/keys.h"
#include "master/listen.h"
#include "master/pool.h"
#include "master/respawn.h"
#include "master/supervisor_private.h"
#include "master/systemd.h"
#include "master/upgrade.h"

enum {
    TICK_BUSY_MS = 10,  /* a turn of the loop, while workers come or go */
    TICK_IDLE_MS = 1000 /* otherwise */
};

static void reap(struct supervisor *supervisor)
{
    struct child child;
    int wait_status;
    bool has_passed;
    pid_t pid;

    while ((pid = waitpid(-1, &wait_status, WNOHANG)) > 0) {
        if (pool_reap(&supervisor->pool, pid, wait_status, &child)) {
            reload_worker_ended(supervisor, &child);
        } else if (upgrade_reap_trial(&supervisor->upgrade, pid, &has_passed)) {
            reload_end_trial(supervisor, has_passed);
        } else if (!helper_reap(&supervisor->old_fetcher, pid) &&
                   !helper_reap(&supervisor->fetcher.helper, pid) &&
                   !helper_reap(&supervisor->watcher.helper, pid) &&
                   !helper_reap(&supervisor->prober.helper, pid) &&
                   !helper_reap(&supervisor->exporter.helper, pid)) {
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
    bool is_started = reload_start_worker(supervisor, number, generation);
    counter_add(&supervisor->pool.scoreboard->restarts, is_started);
    return is_started;
}

/* Starts the workers that are missing: one for each number. Numbers up to rolled_out get one of the
 * next generation, the others one of the current generation. */
static void respawn(struct supervisor *supervisor)
{
    int rolled_out = supervisor->reload == RELOAD_ROLLING_OUT ? supervisor->rolled_out : 0;
    bool is_complete = true;

    for (int number = 1; number <= rolled_out && is_complete; number++) {
        is_complete = pool_find(&supervisor->pool, number, supervisor->next) != NULL ||
                      respawn_one(supervisor, number, supervisor->next);
    }
    for (int number = rolled_out + 1; number <= reload_numbers(supervisor) && is_complete;
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
    helper_stop(&supervisor->prober.helper);
    if (signal_number == SIGKILL) {
        span_exporter_stop(&supervisor->exporter); /* otherwise it sends the last spans first */
    }
    /* Closed first, so that no connection comes to a unix socket after a worker has read the accept
     * queue for the last time. A TCP socket accepts until the last worker has closed it, too. */
    listen_close(&supervisor->listener);
    pool_end(&supervisor->pool, signal_number);
}

static bool has_children(const struct supervisor *supervisor)
{
    return supervisor->fetcher.helper.pid != 0 || supervisor->watcher.helper.pid != 0 ||
           supervisor->purger.helper.pid != 0 || supervisor->prober.helper.pid != 0 ||
           supervisor->old_fetcher.pid != 0 || supervisor->exporter.helper.pid != 0 ||
           supervisor->upgrade.trial != 0 ||
           pool_running(&supervisor->pool) + pool_leaving(&supervisor->pool) > 0;
}

static bool lacks_a_helper(const struct supervisor *supervisor)
{
    const struct config *config = &supervisor->current->config;

    return (key_fetcher_is_wanted(config) && supervisor->fetcher.helper.pid == 0) ||
           (watcher_is_wanted(config) && supervisor->watcher.helper.pid == 0) ||
           (purger_is_wanted(config) && supervisor->purger.helper.pid == 0) ||
           (prober_is_wanted(config) && supervisor->prober.helper.pid == 0) ||
           (span_exporter_is_wanted(config) && supervisor->exporter.helper.pid == 0);
}

static bool is_unsettled(const struct supervisor *supervisor)
{
    return supervisor->is_stopping || supervisor->reload != RELOAD_NONE ||
           lacks_a_helper(supervisor) || pool_leaving(&supervisor->pool) > 0 ||
           pool_running(&supervisor->pool) < reload_numbers(supervisor);
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
        reload_begin(supervisor);
        break;
    default: /* SIGCHLD: every turn of the loop reaps; or the tick is over */
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
        mark_unite(supervisor->watcher.mark);
        watcher_ensure(&supervisor->watcher, &current->config, current->catalog);
    }
    prober_ensure(&supervisor->prober, &current->config, current->catalog,
                  !pool_has_adopted(&supervisor->pool));
    purger_ensure(&supervisor->purger, &current->config, current->catalog);
    span_exporter_ensure(&supervisor->exporter, &current->config);
}

static void run_loop(struct supervisor *supervisor, const sigset_t *signals)
{
    while (!supervisor->is_stopping || has_children(supervisor)) {
        handle_signal(supervisor, wait_for_signal(supervisor, signals));
        reap(supervisor);
        pool_enforce(&supervisor->pool);
        upgrade_enforce(&supervisor->upgrade, supervisor->is_stopping);
        if (!supervisor->is_stopping) {
            if (supervisor->reload == RELOAD_ROLLING_OUT) {
                reload_advance(supervisor);
            } else if (supervisor->is_reload_wanted) {
                reload_begin(supervisor);
            }
            respawn(supervisor);
            ensure_helpers(supervisor);
        } else if (pool_running(&supervisor->pool) + pool_leaving(&supervisor->pool) == 0) {
            span_exporter_finish(&supervisor->exporter, &supervisor->current->config);
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
    /* The parent may have made this process ignore SIGCHLD or others; it could not wait for
     * these. */
    for (size_t i = 0; i < sizeof handled / sizeof handled[0]; i++) {
        signal(handled[i], SIG_DFL);
    }
    sigprocmask(SIG_BLOCK, signals, NULL);
    signal(SIGPIPE, SIG_IGN); /* the reader of the log may have ended */
    signal(SIGXFSZ, SIG_IGN); /* a log at its limit loses lines, the process stays */
}

/* Opens the pool, or takes over what the program that this process executed before has left: the
 * listening socket, the descriptors that workers share, and the workers. */
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
    if (!open_pool(supervisor) || !key_fetcher_prepare(&supervisor->fetcher) ||
        !watcher_prepare(&supervisor->watcher, pool->scoreboard) ||
        !prober_prepare(&supervisor->prober, pool->scoreboard) ||
        !span_exporter_prepare(&supervisor->exporter, config)) {
        log_errno(LOG_ERROR, "supervisor", "start");
        return false;
    }
    /* For an inherited socket the trial has checked this, unless the settings have changed since or
     * the earlier program did not pass the socket to the trial. */
    if (!listen_allows(&supervisor->listener, config)) {
        return false;
    }
    supervisor->purger.mark = supervisor->watcher.mark;
    supervisor->purger.scoreboard = pool->scoreboard;
    pool->setup.listen_fd = supervisor->listener.fd;
    pool->setup.is_shared = supervisor->listener.is_shared;
    pool->setup.is_handed_over = supervisor->listener.is_handed_over;
    pool->setup.keypage = &supervisor->fetcher.link;
    pool->setup.mark = supervisor->watcher.mark;
    pool->setup.replicas = supervisor->prober.replicas;
    prober_note_settings(&supervisor->prober, config);
    pool->setup.spans = supervisor->exporter.spans;
    atomic_store(&pool->scoreboard->workers_wanted, config->workers);
    return true;
}

static void start_all(struct supervisor *supervisor)
{
    int workers = supervisor->current->config.workers;

    for (int number = 1; number <= workers; number++) {
        reload_start_worker(supervisor, number, supervisor->current);
    }
    respawn_budget_init(&supervisor->budget, clock_ms());
    log_message(LOG_INFO, "supervisor", "cruddurd %s runs with %d workers", PACKAGE_VERSION,
                workers);
}

static void run_pool(struct supervisor *supervisor, const sigset_t *signals)
{
    const struct config *config = &supervisor->current->config;

    if (config->identity == IDENTITY_HANDLE) {
        log_message(
            LOG_WARNING, "supervisor",
            "handle mode: every process that reaches this host's loopback may post as any user");
    }
    if (geteuid() == 0) {
        log_message(LOG_WARNING, "supervisor",
                    "it runs as root, which it needs for nothing: give it a user of its own");
    }
    if (pool_has_adopted(&supervisor->pool)) {
        log_message(LOG_INFO, "supervisor", "HUP: cruddurd %s has taken over", PACKAGE_VERSION);
        supervisor->inherited = pool_last_number(&supervisor->pool);
        mark_divide(supervisor->watcher.mark);
        reload_begin(supervisor);
    } else {
        start_all(supervisor);
    }
    systemd_notify("READY=1");
    run_loop(supervisor, signals);
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
        run_pool(&supervisor, &signals);
    }
    listen_close(&supervisor.listener);
    pool_free(&supervisor.pool);
    upgrade_release(&supervisor.upgrade);
    return is_prepared ? EXIT_SUCCESS : EXIT_FAILURE;
}
