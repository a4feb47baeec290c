/* One connection from the front server, speaking FastCGI through libfcgi: many requests after one
 * another, never two at once. */
#ifndef CRUDDUR_HTTP_FASTCGI_H
#define CRUDDUR_HTTP_FASTCGI_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"

struct fastcgi;

/* Once per process, before anything else here. Leaves the signal handling as it was. */
void fastcgi_setup(void);

enum {
    FASTCGI_REQUEST_MAX = 128 * 1024, /* bytes of one request with all its records */
    FASTCGI_SEND_TIMEOUT_MS = 2000    /* a peer that takes nothing for so long is gone */
};

/* Takes a connected blocking socket over. */
struct fastcgi *fastcgi_open(int fd);

int fastcgi_fd(const struct fastcgi *connection);

enum fastcgi_state {
    FASTCGI_IDLE,     /* nothing has arrived since the last request */
    FASTCGI_PARTIAL,  /* part of a request */
    FASTCGI_READY,    /* a whole request */
    FASTCGI_OVERSIZE, /* more body than body_max: answerable, not worth reading on */
    FASTCGI_GONE      /* closed by the peer, or no request at all: close it */
};

/* What waits in the socket; takes nothing out and never blocks. A connection whose request has a
 * body over body_max closes after the answer. *answerable (for FASTCGI_PARTIAL):
 * the parameters are there, so that the client can be told what went wrong. */
enum fastcgi_state fastcgi_look(struct fastcgi *connection, size_t body_max, bool *answerable);

/* Takes the request that fastcgi_look saw. Its parameters, valid until fastcgi_finish; NULL when
 * libfcgi cannot read it: close the connection. */
char **fastcgi_begin(struct fastcgi *connection);

/* The body into arena memory, NUL-terminated; only after FASTCGI_READY. */
const char *fastcgi_body(struct fastcgi *connection, struct arena *arena, size_t max,
                         size_t *length);

/* The rest of the request will not be read: the connection closes after the answer. */
void fastcgi_give_up(struct fastcgi *connection);

/* Sends the answer's bytes; may be called several times. */
void fastcgi_send(struct fastcgi *connection, const char *bytes, size_t length);

/* Ends the request. False when the connection is done with as well: close it. */
bool fastcgi_finish(struct fastcgi *connection);

/* Frees the connection and closes its descriptor. */
void fastcgi_close(struct fastcgi *connection);

#endif
