/* The worker processes. This module starts them, asks them to leave, kills those that do not, and
 * frees the slots of those that have ended. The supervisor decides when. */
#ifndef CRUDDUR_MASTER_POOL_H
#define CRUDDUR_MASTER_POOL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "config/config.h"
#include "shared/scoreboard.h"
#include "worker/worker.h"

/* One reading of settings and templates, and the number of workers that were started with it. A
 * generation that a reload has replaced (is_left) is freed when its last worker has ended. */
struct generation {
    struct config config;
    struct catalog *catalog;
    int workers;
    bool is_left;
    struct generation *older;
};

enum child_state { CHILD_NONE, CHILD_RUNNING, CHILD_LEAVING };

/* A worker's process. Its slot in the pool is its slot on the scoreboard. */
struct child {
    enum child_state state;
    pid_t pid;
    int number; /* 1 to the number of workers; two children share it while one replaces the other */
    struct generation *generation;
    int64_t started_ms;
    int64_t kill_ms; /* when a leaving worker is killed */
    bool is_adopted; /* of the program that this one has replaced; not on the scoreboard, so it is
                      * not known whether it is stuck */
};

struct pool {
    struct child children[SCORES_MAX];
    struct generation *newest; /* the list of all, by way of older */
    struct scoreboard *scoreboard;
    struct worker_setup setup; /* what all workers have in common */
    int64_t fork_logged_ms;    /* when a failed fork was last logged; 0: never */
    int life_fd;               /* the master's end of the pipe by which workers notice its end */
};

/* Makes what the workers share. False: errno says why. */
bool pool_open(struct pool *pool);

/* As pool_open(), with what the workers of an earlier program share. life_fd is the workers' end of
 * the pipe, own_life_fd the master's. */
bool pool_take_over(struct pool *pool, const struct handover *handover, int life_fd,
                    int own_life_fd);

/* Takes a worker of the earlier program as one of that generation. */
void pool_adopt(struct pool *pool, pid_t pid, int number, bool is_leaving,
                struct generation *generation);
bool pool_has_adopted(const struct pool *pool);

void pool_free(struct pool *pool);

/* An empty generation, to be filled in. */
struct generation *pool_add_generation(struct pool *pool);
void pool_leave_generation(struct pool *pool, struct generation *generation);

/* Passes the running workers up to last_number from one generation to another, which has no worker
 * with these numbers. They keep their settings; the other generation's time limits apply. */
void pool_reassign(struct pool *pool, struct generation *from, struct generation *to,
                   int last_number);

/* Starts a worker; must_fit: as in worker_setup. False: no slot is free, or fork failed,
 * which is logged once a minute. */
bool pool_has_slot(const struct pool *pool);
bool pool_start(struct pool *pool, int number, struct generation *generation, bool must_fit);

/* NULL: no such worker runs. */
struct child *pool_find(struct pool *pool, int number, const struct generation *generation);

/* Whether the worker has reached its loop. */
bool pool_has_begun(const struct pool *pool, const struct child *child);

/* The highest number of a worker that runs; 0 without one. */
int pool_last_number(const struct pool *pool);

int pool_running(const struct pool *pool);
int pool_leaving(const struct pool *pool);

/* Asks a worker to leave with this signal; it is killed if it is still there when its time is
 * up. */
void pool_ask_to_leave(struct child *child, int signal_number);

/* All workers of a generation give their connections to the others and leave. */
void pool_retire(struct pool *pool, const struct generation *generation);

/* Sends the signal to all workers, first to those that are leaving, and expects them to leave. */
void pool_end(struct pool *pool, int signal_number);

/* Kills leaving workers whose time is up, and asks workers that are stuck in a request to leave. */
void pool_enforce(struct pool *pool);

/* waitpid(2) has reported the end of pid. False: it was no worker. Otherwise *ended is a copy of
 * its entry, with the generation NULL if that was left and this was its last worker. */
bool pool_reap(struct pool *pool, pid_t pid, int wait_status, struct child *ended);

#endif
