/* A worker: one epoll loop over the pool's listening socket and all connections it has accepted.
 * The worker serves a request only when all of it has arrived, so that a slow peer does not delay
 * the others. */
#ifndef CRUDDUR_WORKER_WORKER_H
#define CRUDDUR_WORKER_WORKER_H

#include <stdbool.h>

#include "shared/handover.h"

struct catalog;
struct config;
struct mark;
struct keypage_link;
struct replicas;
struct score;
struct pool_claims;
struct scoreboard;
struct span_ring;
struct spans;
struct timelines;

/* What the master prepares for a worker before the fork. */
struct worker_setup {
    const struct config *config;
    const struct catalog *catalog;
    struct score *score;
    const struct scoreboard *scoreboard;
    struct timelines *timelines; /* of the scoreboard */
    struct pool_claims *claims;  /* likewise */
    struct replicas *replicas;
    struct handover handover;
    const struct keypage_link *keypage;
    struct mark *mark;
    struct spans *spans;    /* NULL: no trace was ever recorded */
    struct span_ring *ring; /* the worker's own ring in spans, or NULL */
    int listen_fd;
    int life_fd;         /* readable (end of file) once the master is gone */
    int number;          /* from 1, for application_name */
    bool is_shared;      /* another process goes on listening when this pool ends */
    bool is_handed_over; /* the socket; the next server on it takes what is left there */
    bool must_fit;       /* end with WORKER_EXIT_UNFIT if the schema does not fit */
};

enum {
    WORKER_EXIT_UNFIT = 3,
    WORKER_EXIT_SANDBOX = 4 /* see worker/sandbox.h; score->refused_call has the call */
};

/* Runs the worker. On TERM it serves the requests that wait, closes its connections (or, if the
 * listening socket was handed over, leaves them in that socket for the next server) and ends. On
 * USR1 it gives its connections to the other workers and ends. Returns the process's exit status,
 * but TERM kills a worker that tries its sessions (must_fit). Call this in the child, with the
 * worker's signals blocked. */
int worker_run(const struct worker_setup *setup);

#endif
