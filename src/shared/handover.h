/* How a worker that leaves gives its open connections to the others, so that replacing workers
 * fails no request: nginx keeps connections, and one that closes just as nginx writes to it costs
 * that request. One queue for the pool; every worker reads from it as it accepts connections. */
#ifndef CRUDDUR_SHARED_HANDOVER_H
#define CRUDDUR_SHARED_HANDOVER_H

#include <stdbool.h>

#include "base/buf.h"

struct handover {
    int give; /* shared by the workers that leave */
    int take; /* readable when a connection waits; non-blocking */
};

/* Before the workers are forked. */
bool handover_open(struct handover *handover);

/* Queues a connection, with what was taken out of it and not served; false when that didn't work
 * within timeout_ms. The descriptor stays open here and is to be closed. */
bool handover_give(const struct handover *handover, int fd, const struct buf *buffered,
                   int timeout_ms);

/* For a server that ends where another process keeps the listening socket open: leaves a connection
 * for the next server, in the queue of connections to be accepted. What the peer sends meanwhile
 * waits in the connection. The message is a connection of its own, with one byte that begins no
 * FastCGI record, the descriptor, and what was taken out of it in a file in memory. The descriptor
 * stays open here and is to be closed. False, errno says why: the socket is no unix socket, this
 * process may not connect to it, its queue is full, or another server has its path by now. */
bool handover_leave(int listen_fd, int fd, const struct buf *buffered);

/* Receives a connection that handover_leave() sent over message_fd, an accepted connection. -1:
 * there is none, or a process of another user sent it. Appends the bytes that were read from it. */
int handover_find(int message_fd, struct buf *buffered);

/* Whether a connection is in the queue. */
bool handover_waits(const struct handover *handover);

/* A connection from the queue, or -1. Appends what was taken out of it. */
int handover_take(const struct handover *handover, struct buf *buffered);

#endif
