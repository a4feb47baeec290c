/* A process of the pool that is no worker, kept running by the master. */
#ifndef CRUDDUR_HELPER_HELPER_H
#define CRUDDUR_HELPER_HELPER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    HELPER_RESTART_MS = 1000, /* at least, between two starts */
    HELPER_LOG_MS = 60000     /* between two lines about a failed fork */
};

struct helper {
    pid_t pid; /* 0: doesn't run */
    int64_t started_ms;
    int64_t fork_logged_ms; /* when a failed fork was last logged; 0: never */
};

/* What the helper does, in a child that has no signals blocked. The child is killed when the master
 * ends. To return is to fail. */
typedef void helper_run(void *context);

/* Starts the helper if it does not run. name is what ps shows, 15 bytes at most. */
void helper_ensure(struct helper *helper, const char *name, helper_run *run, void *context);

/* Whether pid was the helper's process, which has ended then. */
bool helper_reap(struct helper *helper, pid_t pid);

/* Kills the helper and waits for its end. */
void helper_end(struct helper *helper);

/* Kills the helper. The next helper_ensure() after its end starts it with the context given
 * there. */
void helper_stop(const struct helper *helper);

#endif
