/* A process of the pool that is no worker, kept running by the master. */
#ifndef CRUDDUR_HELPER_HELPER_H
#define CRUDDUR_HELPER_HELPER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    HELPER_RESTART_MS = 1000, /* at least, between two starts */
    HELPER_LOG_MS = 60000     /* between two lines of a fork that fails */
};

struct helper {
    pid_t pid; /* 0: doesn't run */
    int64_t started_ms;
    int64_t fork_logged_ms; /* when a failed fork was last logged; 0: never */
};

/* What it does, in a child with the usual signal handling. It ends when the master does; to return
 * is to fail. */
typedef void helper_run(void *context);

/* Starts it if it doesn't run. name is what ps shows, 15 bytes at most. */
void helper_ensure(struct helper *helper, const char *name, helper_run *run, void *context);

/* Whether pid was it; it has ended then. */
bool helper_reap(struct helper *helper, pid_t pid);

/* Ends it and waits for its end. */
void helper_end(struct helper *helper);

/* Ends it; with the next helper_ensure it starts with the context of then. */
void helper_stop(const struct helper *helper);

#endif
