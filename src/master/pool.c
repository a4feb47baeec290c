/* Each entry of pool->children is a slot, in one of three states:
 *
 *     NONE     free
 *     RUNNING  a worker that serves; at most one for each number and generation
 *     LEAVING  it was asked to leave; it is killed at kill_ms
 *
 *     NONE ──pool_start──► RUNNING ──pool_ask_to_leave──► LEAVING
 *     NONE ──pool_adopt──► RUNNING or LEAVING
 *     RUNNING, LEAVING ──pool_reap──► NONE
 *
 * A slot is free again only when waitpid(2) has reported its process, so two processes never write
 * to one slot of the scoreboard. A worker is stuck if its score has been busy, without a turn of
 * its loop, for longer than stuck_timeout. pool_enforce() then sends it SIGTERM, and SIGKILL if it
 * does not end.
 *
 * A generation counts its workers. It is freed when it was left and the last of its workers has
 * ended, since its settings have the time limits of its workers. An adopted worker runs with
 * settings of its own, and so does a worker that pool_reassign() has passed to another generation;
 * these count for a generation because of the time limits. */
#include "master/pool.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api/routes.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "db/catalog.h"
#include "shared/handover.h"
#include "shared/spans.h"
#include "worker/sandbox.h"

enum {
    STUCK_GRACE_MS = 500,  /* for a stuck worker to end by itself */
    LEAVE_GRACE_MS = 1000, /* for a worker that leaves, beyond its own limit */
    LOG_FORK_MS = 60000
};

bool pool_open(struct pool *pool)
{
    struct handover handover;
    int life[2];

    return handover_open(&handover) && pipe2(life, O_CLOEXEC) == 0 &&
           pool_take_over(pool, &handover, life[0], life[1]);
}

bool pool_take_over(struct pool *pool, const struct handover *handover, int life_fd,
                    int own_life_fd)
{
    pool->scoreboard = scoreboard_new();
    if (pool->scoreboard == NULL) {
        return false;
    }
    pool->setup.handover = *handover;
    pool->setup.scoreboard = pool->scoreboard;
    pool->setup.timelines = &pool->scoreboard->timelines;
    pool->setup.claims = &pool->scoreboard->claims;
    pool->setup.life_fd = life_fd;
    pool->life_fd = own_life_fd;
    return true;
}

/* --- generations --- */

struct generation *pool_add_generation(struct pool *pool)
{
    struct generation *generation = memory_zeroed(sizeof *generation);

    generation->older = pool->newest;
    pool->newest = generation;
    return generation;
}

static void free_generation(struct pool *pool, struct generation *generation)
{
    struct generation **link = &pool->newest;

    while (*link != generation) {
        link = &(*link)->older;
    }
    *link = generation->older;
    catalog_free(generation->catalog);
    config_release(&generation->config);
    memory_free(generation);
}

void pool_leave_generation(struct pool *pool, struct generation *generation)
{
    generation->is_left = true;
    if (generation->workers == 0) {
        free_generation(pool, generation);
    }
}

void pool_reassign(struct pool *pool, struct generation *from, struct generation *to,
                   int last_number)
{
    for (size_t i = 0; i < SCORES_MAX; i++) {
        struct child *child = &pool->children[i];

        if (child->state == CHILD_RUNNING && child->generation == from &&
            child->number <= last_number) {
            child->generation = to;
            from->workers--;
            to->workers++;
        }
    }
}

void pool_free(struct pool *pool)
{
    while (pool->newest != NULL) {
        free_generation(pool, pool->newest);
    }
}

/* --- the slots --- */

static struct child *free_slot(const struct pool *pool)
{
    for (size_t i = 0; i < SCORES_MAX; i++) {
        if (pool->children[i].state == CHILD_NONE) {
            return (struct child *)&pool->children[i];
        }
    }
    return NULL;
}

bool pool_has_slot(const struct pool *pool)
{
    return free_slot(pool) != NULL;
}

struct child *pool_find(struct pool *pool, int number, const struct generation *generation)
{
    for (size_t i = 0; i < SCORES_MAX; i++) {
        struct child *child = &pool->children[i];

        if (child->state == CHILD_RUNNING && child->number == number &&
            child->generation == generation) {
            return child;
        }
    }
    return NULL;
}

static int count_children(const struct pool *pool, enum child_state state)
{
    int children = 0;

    for (size_t i = 0; i < SCORES_MAX; i++) {
        children += pool->children[i].state == state;
    }
    return children;
}

int pool_running(const struct pool *pool)
{
    return count_children(pool, CHILD_RUNNING);
}

int pool_leaving(const struct pool *pool)
{
    return count_children(pool, CHILD_LEAVING);
}

int pool_last_number(const struct pool *pool)
{
    int last = 0;

    for (size_t i = 0; i < SCORES_MAX; i++) {
        const struct child *child = &pool->children[i];

        if (child->state == CHILD_RUNNING && child->number > last) {
            last = child->number;
        }
    }
    return last;
}

static struct score *score_of(const struct pool *pool, const struct child *child)
{
    return &pool->scoreboard->scores[child - pool->children];
}

bool pool_has_begun(const struct pool *pool, const struct child *child)
{
    return atomic_load(&score_of(pool, child)->state) != WORKER_STARTING;
}

bool pool_has_adopted(const struct pool *pool)
{
    for (size_t i = 0; i < SCORES_MAX; i++) {
        if (pool->children[i].state != CHILD_NONE && pool->children[i].is_adopted) {
            return true;
        }
    }
    return false;
}

/* --- coming --- */

void pool_adopt(struct pool *pool, pid_t pid, int number, bool is_leaving,
                struct generation *generation)
{
    struct child *child = free_slot(pool);

    if (child == NULL) {
        return;
    }
    *child =
        (struct child){.state = is_leaving ? CHILD_LEAVING : CHILD_RUNNING,
                       .pid = pid,
                       .number = number,
                       .generation = generation,
                       .started_ms = clock_ms(),
                       .kill_ms = clock_ms() + generation->config.drain_timeout + LEAVE_GRACE_MS,
                       .is_adopted = true};
    generation->workers++;
}

/* In the new process: runs the worker and exits. */
__attribute__((noreturn)) static void be_worker(const struct pool *pool, const struct child *child,
                                                bool must_fit, pid_t master)
{
    const struct config *config = &child->generation->config;
    struct worker_setup setup = pool->setup;

    setup.config = config;
    setup.catalog = child->generation->catalog;
    setup.score = score_of(pool, child);
    setup.ring = setup.spans != NULL ? &setup.spans->rings[child - pool->children] : NULL;
    setup.number = child->number;
    setup.must_fit = must_fit;
    log_setup((enum log_level)config->log_level, (enum log_format)config->log_format);
    close(pool->life_fd);
    exit(getppid() == master ? worker_run(&setup) : EXIT_FAILURE);
}

static void log_fork(struct pool *pool)
{
    int64_t now_ms = clock_ms();

    if (pool->fork_logged_ms == 0 || now_ms - pool->fork_logged_ms >= LOG_FORK_MS) {
        log_errno(LOG_ERROR, "supervisor", "fork");
        pool->fork_logged_ms = now_ms;
    }
}

bool pool_start(struct pool *pool, int number, struct generation *generation, bool must_fit)
{
    struct child *child = free_slot(pool);

    if (child == NULL) {
        return false; /* too many are still leaving; the next turn of the loop tries again */
    }
    *child = (struct child){.state = CHILD_RUNNING,
                            .number = number,
                            .generation = generation,
                            .started_ms = clock_ms()};
    scoreboard_take(pool->scoreboard, (size_t)(child - pool->children));
    if (pool->setup.spans != NULL) {
        spans_take(pool->setup.spans, (size_t)(child - pool->children));
    }
    pid_t master = getpid();
    child->pid = fork();
    if (child->pid == 0) {
        be_worker(pool, child, must_fit, master);
    }
    if (child->pid < 0) {
        log_fork(pool);
        child->state = CHILD_NONE;
        scoreboard_free(pool->scoreboard, (size_t)(child - pool->children));
        return false;
    }
    generation->workers++;
    log_message(LOG_DEBUG, "supervisor", "worker %d started as pid %d", number, (int)child->pid);
    return true;
}

/* --- going --- */

void pool_ask_to_leave(struct child *child, int signal_number)
{
    kill(child->pid, signal_number);
    child->state = CHILD_LEAVING;
    child->kill_ms = clock_ms() + child->generation->config.drain_timeout + LEAVE_GRACE_MS;
}

void pool_retire(struct pool *pool, const struct generation *generation)
{
    for (size_t i = 0; i < SCORES_MAX; i++) {
        struct child *child = &pool->children[i];

        if (child->state == CHILD_RUNNING && child->generation == generation) {
            pool_ask_to_leave(child, SIGUSR1);
        }
    }
}

static void end_those(struct pool *pool, enum child_state state, int signal_number)
{
    for (size_t i = 0; i < SCORES_MAX; i++) {
        if (pool->children[i].state == state) {
            pool_ask_to_leave(&pool->children[i], signal_number);
        }
    }
}

void pool_end(struct pool *pool, int signal_number)
{
    end_those(pool, CHILD_LEAVING, signal_number); /* first: worker.c relies on it */
    end_those(pool, CHILD_RUNNING, signal_number);
}

static void kill_late(struct child *child)
{
    log_message(LOG_WARNING, "supervisor", "worker %d (pid %d) didn't leave in time", child->number,
                (int)child->pid);
    kill(child->pid, SIGKILL);
    child->kill_ms = INT64_MAX;
}

static bool is_stuck(const struct child *child, const struct score *score, int64_t now_us)
{
    return atomic_load(&score->state) == WORKER_BUSY &&
           now_us - atomic_load(&score->since_us) >
               child->generation->config.stuck_timeout * INT64_C(1000);
}

static void end_stuck(struct child *child, const struct score *score)
{
    /* A worker that an attacker controls may have stored any address as its route. */
    const char *route = routes_own_pattern(atomic_load(&score->route));

    log_message(LOG_ERROR, "supervisor", "worker %d (pid %d) is stuck in %s", child->number,
                (int)child->pid, route != NULL ? route : "a request");
    pool_ask_to_leave(child, SIGTERM);
    child->kill_ms = clock_ms() + STUCK_GRACE_MS;
}

void pool_enforce(struct pool *pool)
{
    int64_t now_us = clock_us();

    for (size_t i = 0; i < SCORES_MAX; i++) {
        struct child *child = &pool->children[i];

        if (child->state == CHILD_LEAVING && now_us / 1000 >= child->kill_ms) {
            kill_late(child);
        }
        if (child->state == CHILD_RUNNING && is_stuck(child, score_of(pool, child), now_us)) {
            end_stuck(child, score_of(pool, child));
        }
    }
}

/* The system call for which the sandbox has ended a worker. For an adopted worker it is not known:
 * its score is in the memory of the old program. */
static const char *refused_call(const struct child *child, const struct score *score)
{
    return child->is_adopted ? "of an unknown name"
                             : syscalls_name(atomic_load(&score->refused_call));
}

static void log_end_of(const struct child *child, const struct score *score, int wait_status)
{
    long long lifetime_ms = clock_ms() - child->started_ms;

    if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == WORKER_EXIT_SANDBOX) {
        log_message(LOG_ERROR, "supervisor",
                    "worker %d (pid %d) was ended by its sandbox for the system call %s after "
                    "%lld ms",
                    child->number, (int)child->pid, refused_call(child, score), lifetime_ms);
    } else if (WIFSIGNALED(wait_status)) {
        /* One that had not begun yet, see worker_run(). */
        bool is_wanted = child->state == CHILD_LEAVING && WTERMSIG(wait_status) == SIGTERM;

        log_message(is_wanted ? LOG_DEBUG : LOG_WARNING, "supervisor",
                    "worker %d (pid %d) was killed by signal %d after %lld ms", child->number,
                    (int)child->pid, WTERMSIG(wait_status), lifetime_ms);
    } else {
        bool is_wanted = child->state == CHILD_LEAVING && WEXITSTATUS(wait_status) == 0;

        log_message(is_wanted ? LOG_DEBUG : LOG_WARNING, "supervisor",
                    "worker %d (pid %d) ended with status %d after %lld ms", child->number,
                    (int)child->pid, WEXITSTATUS(wait_status), lifetime_ms);
    }
}

static struct child *child_of_pid(struct pool *pool, pid_t pid)
{
    for (size_t i = 0; i < SCORES_MAX; i++) {
        struct child *child = &pool->children[i];

        if (child->state != CHILD_NONE && child->pid == pid) {
            return child;
        }
    }
    return NULL;
}

bool pool_reap(struct pool *pool, pid_t pid, int wait_status, struct child *ended)
{
    struct child *child = child_of_pid(pool, pid);

    if (child == NULL) {
        return false;
    }
    log_end_of(child, score_of(pool, child), wait_status);
    *ended = *child;
    *child = (struct child){.state = CHILD_NONE};
    scoreboard_free(pool->scoreboard, (size_t)(child - pool->children));
    ended->generation->workers--;
    if (ended->generation->is_left && ended->generation->workers == 0) {
        free_generation(pool, ended->generation);
        ended->generation = NULL;
    }
    return true;
}
