/* The handover queue, through which a worker passes open connections on to the others: all of them
 * when it leaves, or new ones when it has more than the others (acceptor.h). So replacing workers
 * fails no request: nginx keeps connections open, and a request fails if its connection is closed
 * just as nginx writes to it. The pool has one queue, which every worker reads as it reads the
 * accept queue. */
#ifndef CRUDDUR_SHARED_HANDOVER_H
#define CRUDDUR_SHARED_HANDOVER_H

#include <stdbool.h>

#include "base/buf.h"

struct handover {
    int give; /* the end for sending, shared by all workers */
    int take; /* readable when a connection waits; non-blocking */
};

/* Call this before the workers are forked. False: errno says why. */
bool handover_open(struct handover *handover);

/* Puts a connection into the queue, with the bytes that were read from it and not served. False:
 * this failed, or there was no room within timeout_ms. The descriptor stays open; the caller closes
 * it. */
bool handover_give(const struct handover *handover, int fd, const struct buf *buffered,
                   int timeout_ms);

/* For a server that ends while another process keeps the listening socket open: leaves a connection
 * for the next server, in the accept queue. What the peer sends meanwhile waits in the connection.
 * The message is a connection of its own to the listening socket. It has one byte that begins no
 * FastCGI record, the descriptor, and in a file in memory the bytes that were read from the
 * connection. The descriptor stays open; the caller closes it. False, errno says why: the socket is
 * no unix socket, this process may not connect to it, its queue is full, or its path belongs to
 * another server by now. */
bool handover_leave(int listen_fd, int fd, const struct buf *buffered);

/* Receives a connection that handover_leave() sent over message_fd, an accepted connection. -1:
 * there is none, or a process of another user sent it. Appends the bytes that were read from it. */
int handover_find(int message_fd, struct buf *buffered);

/* Whether a connection is in the queue. */
bool handover_waits(const struct handover *handover);

/* Takes a connection from the queue; -1: there is none. Appends the bytes that were read from
 * it. */
int handover_take(const struct handover *handover, struct buf *buffered);

#endif
