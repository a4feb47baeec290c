/* How a worker that leaves gives its open connections to the others, so that replacing workers
 * fails no request: nginx keeps connections, and one that closes just as nginx writes to it costs
 * that request. One queue for the pool; every worker reads from it as it accepts connections. */
#ifndef CRUDDUR_DAEMON_HANDOVER_H
#define CRUDDUR_DAEMON_HANDOVER_H

#include <stdbool.h>

#include "base/buf.h"

struct handover {
    int give; /* shared by those who leave */
    int take; /* readable when a connection waits; non-blocking */
};

/* Before the workers are forked. */
bool handover_open(struct handover *handover);

/* Queues a connection, with what was taken out of it and not served; false when that didn't work within timeout_ms. The descriptor stays open
 * here and is to be closed. */
bool handover_give(const struct handover *handover, int fd, const struct buf *arrived,
                   int timeout_ms);

/* Whether a connection is in the queue. */
bool handover_waits(const struct handover *handover);

/* A connection from the queue, or -1. Appends what was taken out of it. */
int handover_take(const struct handover *handover, struct buf *arrived);

#endif
