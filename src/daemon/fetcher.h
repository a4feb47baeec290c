/* The pool's one process that fetches the issuer's keys (cruddur-fetch-keys), as the master sees
 * it. */
#ifndef CRUDDUR_DAEMON_FETCHER_H
#define CRUDDUR_DAEMON_FETCHER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/config.h"

enum { FETCHER_RESTART_MS = 1000 /* at least, between two starts */ };

struct fetcher {
    struct keypage_link link;
    pid_t pid; /* 0: doesn't run */
    int64_t started_ms;
};

/* Before the workers are forked. False: errno says why. */
bool fetcher_prepare(struct fetcher *fetcher, const struct config *config);

/* Starts it if keys are to be fetched and it doesn't run. */
void fetcher_keep(struct fetcher *fetcher, const struct config *config);

/* Whether pid was it; it has ended then. */
bool fetcher_ended(struct fetcher *fetcher, pid_t pid);

/* Ends it; with the next fetcher_keep it starts with the settings of then. */
void fetcher_stop(const struct fetcher *fetcher);

#endif
