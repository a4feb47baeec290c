/* A worker: one epoll loop over the pool's listening socket and all connections it has accepted.
 * It takes a request only once the whole of it waits in its socket, so that no peer, however slow,
 * keeps it from the others. */
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

/* What the master prepared for it before the fork. */
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
    struct span_ring *ring; /* the worker's own of them, or NULL */
    int listen_fd;
    int life_fd;         /* readable (end of file) once the master is gone */
    int number;          /* from 1, for application_name */
    bool is_shared;      /* another process goes on listening when this pool ends */
    bool is_handed_over; /* the socket: the next server on it takes what is left in it */
    bool must_fit;       /* ends with WORKER_EXIT_UNFIT when the schema doesn't fit */
};

enum {
    WORKER_EXIT_UNFIT = 3,
    WORKER_EXIT_SANDBOX = 4 /* see worker/sandbox.h; score->refused_call says why */
};

/* Runs the worker. Signals to it: at TERM it serves the requests that wait, closes its connections
 * (or, if the listening socket was handed over, leaves them there for the next server) and ends. At
 * USR1 it gives its connections to the other workers and ends. Returns the process's exit status.
 * To be called in the child, with the worker's signals blocked. */
int worker_run(const struct worker_setup *setup);

#endif
