#include "daemon/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "daemon/budget.h"
#include "daemon/fetcher.h"
#include "daemon/handover.h"
#include "daemon/listen.h"
#include "daemon/notify.h"
#include "daemon/scoreboard.h"
#include "daemon/watcher.h"
#include "daemon/worker.h"
#include "identity/keys.h"

enum {
    TICK_BUSY_MS = 10,    /* between looks while workers come or go */
    TICK_IDLE_MS = 1000,  /* otherwise */
    STUCK_GRACE_MS = 500, /* for a stuck worker to end by itself */
    READY_WAIT_MS = 10000 /* for a new worker to get to its loop, before it is killed */
};

/* What workers are made from. HUP makes a new one; the old one goes with its last worker. */
struct generation {
    struct config config;
    struct catalog *catalog;
    int children;
    struct generation *older;
};

enum child_state { CHILD_NONE, CHILD_RUNNING, CHILD_LEAVING };

/* A worker process. Its place in the table is its place on the scoreboard. */
struct child {
    enum child_state state;
    pid_t pid;
    int number; /* 1 to the number of workers; two children share it while one replaces the other */
    struct generation *generation;
    int64_t started_ms;
    int64_t kill_ms; /* when a leaving one is killed */
};

struct supervisor {
    struct generation *newest; /* all that there still are, by way of older */
    struct generation *current;
    struct generation *next; /* being rolled out; NULL: nothing is */
    int rolled_out;          /* numbers up to this one have their worker of the next generation */
    struct child children[SCORES_MAX];
    struct scoreboard *scoreboard;
    struct budget budget;
    bool is_throttled;
    bool is_reload_wanted; /* HUP came while the pool was being replaced */
    struct listener listener;
    struct handover handover;
    struct fetcher fetcher;
    struct watcher watcher;
    int life[2]; /* a pipe: the workers' end sees its end when the master is gone */
    bool is_stopping;
    int64_t watchdog_ms; /* when systemd wants to hear from us again */
    char **environment, **argv;
    int argc;
};

static struct generation *generation_new(struct supervisor *supervisor)
{
    struct generation *generation = memory_zeroed(sizeof *generation);

    generation->older = supervisor->newest;
    supervisor->newest = generation;
    return generation;
}

static void generation_free(struct supervisor *supervisor, struct generation *generation)
{
    struct generation **link = &supervisor->newest;

    while (*link != generation) {
        link = &(*link)->older;
    }
    *link = generation->older;
    catalog_free(generation->catalog);
    config_release(&generation->config);
    memory_free(generation);
}

static void supervisor_free(struct supervisor *supervisor)
{
    while (supervisor->newest != NULL) {
        generation_free(supervisor, supervisor->newest);
    }
    memory_free(supervisor->listener.unlink_path);
    memory_free(supervisor);
}

/* --- children --- */

static struct child *free_child(struct supervisor *supervisor)
{
    for (size_t i = 0; i < SCORES_MAX; i++) {
        if (supervisor->children[i].state == CHILD_NONE) {
            return &supervisor->children[i];
        }
    }
    return NULL;
}

static struct child *running_child(struct supervisor *supervisor, int number,
                                   const struct generation *generation)
{
    for (size_t i = 0; i < SCORES_MAX; i++) {
        struct child *child = &supervisor->children[i];

        if (child->state == CHILD_RUNNING && child->number == number &&
            child->generation == generation) {
            return child;
        }
    }
    return NULL;
}

static struct score *score_of(const struct supervisor *supervisor, const struct child *child)
{
    return &supervisor->scoreboard->scores[child - supervisor->children];
}

/* In the new process: lives as a worker and ends. */
__attribute__((noreturn)) static void be_worker(struct supervisor *supervisor,
                                                const struct child *child, pid_t master)
{
    const struct config *config = &child->generation->config;
    struct worker_place place = {
        .config = config,
        .catalog = child->generation->catalog,
        .score = score_of(supervisor, child),
        .scoreboard = supervisor->scoreboard,
        .handover = supervisor->handover,
        .keypage = &supervisor->fetcher.link,
        .mark = supervisor->watcher.mark,
        .listen_fd = supervisor->listener.fd,
        .life_fd = supervisor->life[0],
        .number = child->number,
        .is_shared = supervisor->listener.is_shared,
        .must_fit = child->generation == supervisor->next,
    };

    log_setup((enum log_level)config->log_level, (enum log_format)config->log_format);
    close(supervisor->life[1]);
    int status = getppid() == master ? worker_run(&place) : EXIT_FAILURE;
    supervisor_free(supervisor);
    exit(status);
}

static void spawn(struct supervisor *supervisor, int number, struct generation *generation)
{
    struct child *child = free_child(supervisor);

    if (child == NULL) {
        return; /* too many are still leaving; the next look tries again */
    }
    *child = (struct child){.state = CHILD_RUNNING,
                            .number = number,
                            .generation = generation,
                            .started_ms = clock_ms()};
    scoreboard_take(supervisor->scoreboard, (size_t)(child - supervisor->children));
    pid_t master = getpid();
    child->pid = fork();
    if (child->pid == 0) {
        be_worker(supervisor, child, master);
    }
    if (child->pid < 0) {
        log_errno(LOG_ERROR, "supervisor", "fork");
        child->state = CHILD_NONE;
        score_set(score_of(supervisor, child), WORKER_NONE, NULL);
        return;
    }
    generation->children++;
    log_message(LOG_DEBUG, "supervisor", "worker %d started as pid %d", number, (int)child->pid);
}

/* Asks a worker to leave with this signal; it is killed if it is still there when its time is up.
 */
static void ask_to_leave(struct child *child, int signal_number)
{
    kill(child->pid, signal_number);
    child->state = CHILD_LEAVING;
    /* Its own limit, and a second to get there. */
    child->kill_ms = clock_ms() + child->generation->config.drain_timeout + 1000;
}

static void log_end_of(const struct child *child, int wait_status)
{
    long long lifetime_ms = clock_ms() - child->started_ms;

    if (WIFSIGNALED(wait_status)) {
        log_message(LOG_WARNING, "supervisor",
                    "worker %d (pid %d) was killed by signal %d after %lld ms", child->number,
                    (int)child->pid, WTERMSIG(wait_status), lifetime_ms);
    } else {
        bool is_wanted = child->state == CHILD_LEAVING && WEXITSTATUS(wait_status) == 0;

        log_message(is_wanted ? LOG_DEBUG : LOG_WARNING, "supervisor",
                    "worker %d (pid %d) ended with status %d after %lld ms", child->number,
                    (int)child->pid, WEXITSTATUS(wait_status), lifetime_ms);
    }
}

/* --- replacing the pool (HUP) --- */

static void retire_generation(struct supervisor *supervisor, const struct generation *generation)
{
    for (size_t i = 0; i < SCORES_MAX; i++) {
        struct child *child = &supervisor->children[i];

        if (child->state == CHILD_RUNNING && child->generation == generation) {
            ask_to_leave(child, SIGUSR1);
        }
    }
}

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
    struct generation *generation = generation_new(supervisor);

    if (reread_settings(supervisor, &generation->config)) {
        generation->catalog = catalog_load(generation->config.sql_dir);
    }
    if (generation->catalog == NULL) {
        generation_free(supervisor, generation);
        return NULL;
    }
    return generation;
}

static bool differ(const char *one, const char *other)
{
    return strcmp(one != NULL ? one : "", other != NULL ? other : "") != 0;
}

/* The socket is there already. */
static void warn_of_fixed_settings(const struct config *old, const struct config *new)
{
    if (differ(old->listen, new->listen) || differ(old->listen_group, new->listen_group) ||
        old->listen_mode != new->listen_mode || old->backlog != new->backlog) {
        log_message(
            LOG_WARNING, "supervisor",
            "HUP: listen, listen-group, listen-mode and backlog change with a restart only");
    }
}

static void begin_reload(struct supervisor *supervisor)
{
    supervisor->is_reload_wanted = supervisor->next != NULL;
    if (supervisor->next != NULL || supervisor->is_stopping) {
        return;
    }
    supervisor->next = read_generation(supervisor);
    if (supervisor->next == NULL) {
        counter_add(&supervisor->scoreboard->reloads_refused, 1);
        log_message(LOG_ERROR, "supervisor",
                    "HUP: the new settings or templates are wrong; "
                    "the old ones stay in force");
        return;
    }
    warn_of_fixed_settings(&supervisor->current->config, &supervisor->next->config);
    log_message(LOG_INFO, "supervisor", "HUP: replacing the workers");
    supervisor->rolled_out = 0;
    budget_init(&supervisor->budget, clock_ms());
}

/* Lets go of a generation that is no longer current or next. */
static void leave_generation(struct supervisor *supervisor, struct generation **generation)
{
    struct generation *left = *generation;

    *generation = NULL;
    if (left->children == 0) {
        generation_free(supervisor, left);
    }
}

static void abandon_reload(struct supervisor *supervisor)
{
    counter_add(&supervisor->scoreboard->reloads_refused, 1);
    log_message(LOG_ERROR, "supervisor", "HUP: the new workers cannot run; the old set stays");
    retire_generation(supervisor, supervisor->next);
    leave_generation(supervisor, &supervisor->next);
    budget_init(&supervisor->budget, clock_ms()); /* for the old ones that left already */
}

static void note_reload(const struct supervisor *supervisor)
{
    counter_add(&supervisor->scoreboard->reloads, 1);
    atomic_store(&supervisor->scoreboard->workers_wanted, supervisor->current->config.workers);
}

static void finish_reload(struct supervisor *supervisor)
{
    retire_generation(supervisor, supervisor->current); /* numbers that there are no more */
    leave_generation(supervisor, &supervisor->current);
    supervisor->current = supervisor->next;
    supervisor->next = NULL;
    note_reload(supervisor);
    log_setup((enum log_level)supervisor->current->config.log_level,
              (enum log_format)supervisor->current->config.log_format);
    /* These start again with the new settings. */
    helper_stop(&supervisor->fetcher.helper);
    helper_stop(&supervisor->watcher.helper);
    log_message(LOG_INFO, "supervisor", "HUP: all workers replaced");
}

/* One worker at a time: the new one first, then the old one leaves. */
static void advance_reload(struct supervisor *supervisor)
{
    int number = supervisor->rolled_out + 1;

    if (number > supervisor->next->config.workers) {
        finish_reload(supervisor);
        return;
    }
    struct child *replacement = running_child(supervisor, number, supervisor->next);
    if (replacement == NULL) {
        spawn(supervisor, number, supervisor->next);
        return;
    }
    if (atomic_load(&score_of(supervisor, replacement)->state) == WORKER_STARTING) {
        if (clock_ms() - replacement->started_ms > READY_WAIT_MS) {
            abandon_reload(supervisor);
        }
        return;
    }
    struct child *old = running_child(supervisor, number, supervisor->current);
    if (old != NULL) {
        ask_to_leave(old, SIGUSR1);
    }
    supervisor->rolled_out = number;
}

/* --- keeping it running --- */

static struct child *child_of_pid(struct supervisor *supervisor, pid_t pid)
{
    for (size_t i = 0; i < SCORES_MAX; i++) {
        struct child *child = &supervisor->children[i];

        if (child->state != CHILD_NONE && child->pid == pid) {
            return child;
        }
    }
    return NULL;
}

static void child_ended(struct supervisor *supervisor, struct child *child, int wait_status)
{
    struct generation *generation = child->generation;
    bool was_leaving = child->state == CHILD_LEAVING;

    log_end_of(child, wait_status);
    child->state = CHILD_NONE;
    score_set(score_of(supervisor, child), WORKER_NONE, NULL);
    generation->children--;
    if (generation == supervisor->next) {
        /* One that ends before it took anybody's place shows that its kind cannot run. */
        if (child->number > supervisor->rolled_out && !was_leaving) {
            abandon_reload(supervisor);
        }
    } else if (generation != supervisor->current && generation->children == 0) {
        generation_free(supervisor, generation);
    }
}

static void reap(struct supervisor *supervisor)
{
    int wait_status;
    pid_t pid;

    while ((pid = waitpid(-1, &wait_status, WNOHANG)) > 0) {
        struct child *child = child_of_pid(supervisor, pid);

        if (helper_ended(&supervisor->fetcher.helper, pid) ||
            helper_ended(&supervisor->watcher.helper, pid)) {
            continue;
        }
        if (child != NULL) {
            child_ended(supervisor, child, wait_status);
        }
    }
}

/* Starts a worker in place of one that ended. False when that has to wait. */
static bool respawn_one(struct supervisor *supervisor, int number, struct generation *generation)
{
    if (free_child(supervisor) == NULL) {
        return false;
    }
    if (!budget_take(&supervisor->budget, clock_ms())) {
        if (!supervisor->is_throttled) {
            log_message(LOG_ERROR, "supervisor",
                        "workers end too fast: starting at most one per second");
        }
        supervisor->is_throttled = true;
        return false;
    }
    spawn(supervisor, number, generation);
    counter_add(&supervisor->scoreboard->restarts, 1);
    return true;
}

/* Sees to it that every number has its worker. Numbers that a reload has passed have one of the
 * next generation. */
static void respawn(struct supervisor *supervisor)
{
    int rolled_out = supervisor->next != NULL ? supervisor->rolled_out : 0;
    bool is_complete = true;

    for (int number = 1; number <= rolled_out && is_complete; number++) {
        is_complete = running_child(supervisor, number, supervisor->next) != NULL ||
                      respawn_one(supervisor, number, supervisor->next);
    }
    for (int number = rolled_out + 1; number <= supervisor->current->config.workers && is_complete;
         number++) {
        is_complete = running_child(supervisor, number, supervisor->current) != NULL ||
                      respawn_one(supervisor, number, supervisor->current);
    }
    supervisor->is_throttled = supervisor->is_throttled && !is_complete;
}

/* Kills whoever should have gone by now, and workers that are stuck in one request. */
static void enforce(struct supervisor *supervisor)
{
    int64_t now_us = clock_us();

    for (size_t i = 0; i < SCORES_MAX; i++) {
        struct child *child = &supervisor->children[i];
        struct score *score = &supervisor->scoreboard->scores[i];

        if (child->state == CHILD_LEAVING && now_us / 1000 >= child->kill_ms) {
            log_message(LOG_WARNING, "supervisor", "worker %d (pid %d) didn't leave in time",
                        child->number, (int)child->pid);
            kill(child->pid, SIGKILL);
            child->kill_ms = INT64_MAX;
        }
        if (child->state == CHILD_RUNNING && atomic_load(&score->state) == WORKER_BUSY &&
            now_us - atomic_load(&score->since_us) >
                child->generation->config.stuck_timeout * INT64_C(1000)) {
            const char *route = atomic_load(&score->route);

            log_message(LOG_ERROR, "supervisor", "worker %d (pid %d) is stuck in %s", child->number,
                        (int)child->pid, route != NULL ? route : "a request");
            ask_to_leave(child, SIGTERM);
            child->kill_ms = now_us / 1000 + STUCK_GRACE_MS;
        }
    }
}

static void begin_stop(struct supervisor *supervisor, int signal_number)
{
    log_message(LOG_INFO, "supervisor", "ending");
    notify_systemd("STOPPING=1");
    supervisor->is_stopping = true;
    helper_stop(&supervisor->fetcher.helper);
    helper_stop(&supervisor->watcher.helper);
    /* No new connections, before the workers look for the last time. */
    listen_close(&supervisor->listener);
    for (size_t i = 0; i < SCORES_MAX; i++) {
        if (supervisor->children[i].state != CHILD_NONE) {
            ask_to_leave(&supervisor->children[i], signal_number);
        }
    }
}

static bool has_children(const struct supervisor *supervisor)
{
    if (supervisor->fetcher.helper.pid != 0 || supervisor->watcher.helper.pid != 0) {
        return true;
    }
    for (size_t i = 0; i < SCORES_MAX; i++) {
        if (supervisor->children[i].state != CHILD_NONE) {
            return true;
        }
    }
    return false;
}

static bool is_unsettled(const struct supervisor *supervisor)
{
    int running = 0;

    for (size_t i = 0; i < SCORES_MAX; i++) {
        if (supervisor->children[i].state == CHILD_LEAVING) {
            return true;
        }
        running += supervisor->children[i].state == CHILD_RUNNING;
    }
    return supervisor->is_stopping ||
           (fetcher_is_wanted(&supervisor->current->config) &&
            supervisor->fetcher.helper.pid == 0) ||
           (watcher_is_wanted(&supervisor->current->config) &&
            supervisor->watcher.helper.pid == 0) ||
           supervisor->next != NULL || running < supervisor->current->config.workers;
}

static void feed_watchdog(struct supervisor *supervisor)
{
    int interval_ms = notify_watchdog_ms();

    if (interval_ms > 0 && clock_ms() >= supervisor->watchdog_ms) {
        notify_systemd("WATCHDOG=1");
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
    int watchdog_ms = notify_watchdog_ms();

    if (watchdog_ms > 0 && watchdog_ms < tick_ms) {
        tick_ms = watchdog_ms;
    }
    struct timespec tick = {.tv_sec = tick_ms / 1000, .tv_nsec = tick_ms % 1000 * 1000000L};
    return sigtimedwait(signals, NULL, &tick);
}

static void keep_helpers(struct supervisor *supervisor)
{
    const struct generation *current = supervisor->current;

    fetcher_keep(&supervisor->fetcher, &current->config);
    watcher_keep(&supervisor->watcher, &current->config, current->catalog);
}

static void run(struct supervisor *supervisor, const sigset_t *signals)
{
    while (!supervisor->is_stopping || has_children(supervisor)) {
        handle_signal(supervisor, wait_for_signal(supervisor, signals));
        reap(supervisor);
        enforce(supervisor);
        if (!supervisor->is_stopping) {
            if (supervisor->next != NULL) {
                advance_reload(supervisor);
            } else if (supervisor->is_reload_wanted) {
                begin_reload(supervisor);
            }
            respawn(supervisor);
            keep_helpers(supervisor);
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
    signal(SIGPIPE, SIG_IGN); /* whoever read the log may be gone */
}

static bool prepare(struct supervisor *supervisor)
{
    struct generation *current = supervisor->current;

    current->catalog = catalog_load(current->config.sql_dir);
    if (current->catalog == NULL || !listen_open(&current->config, &supervisor->listener)) {
        return false;
    }
    keys_prepare();
    supervisor->scoreboard = scoreboard_new();
    if (supervisor->scoreboard == NULL || !handover_open(&supervisor->handover) ||
        pipe2(supervisor->life, O_CLOEXEC) != 0 ||
        !fetcher_prepare(&supervisor->fetcher, &current->config) ||
        !watcher_prepare(&supervisor->watcher, &supervisor->scoreboard->watcher)) {
        log_errno(LOG_ERROR, "supervisor", "start");
        return false;
    }
    atomic_store(&supervisor->scoreboard->workers_wanted, current->config.workers);
    return true;
}

int supervise(struct config *config, char **environment, int argc, char **argv)
{
    struct supervisor *supervisor = memory_zeroed(sizeof *supervisor);
    int status = EXIT_FAILURE;
    sigset_t signals;

    supervisor->current = generation_new(supervisor);
    supervisor->current->config = *config;
    supervisor->listener.fd = -1;
    supervisor->environment = environment;
    supervisor->argc = argc;
    supervisor->argv = argv;
    block_signals(&signals);
    if (prepare(supervisor)) {
        if (config->identity == IDENTITY_HANDLE) {
            log_message(LOG_WARNING, "supervisor",
                        "handle mode: whoever reaches this host's loopback may post as anyone");
        }
        for (int number = 1; number <= supervisor->current->config.workers; number++) {
            spawn(supervisor, number, supervisor->current);
        }
        budget_init(&supervisor->budget, clock_ms());
        log_message(LOG_INFO, "supervisor", "cruddurd %s runs with %d workers", PACKAGE_VERSION,
                    supervisor->current->config.workers);
        notify_systemd("READY=1");
        run(supervisor, &signals);
        log_message(LOG_INFO, "supervisor", "ended");
        status = EXIT_SUCCESS;
    }
    listen_close(&supervisor->listener);
    supervisor_free(supervisor);
    return status;
}
