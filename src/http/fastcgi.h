/* One connection from the front server, speaking FastCGI: many requests after one another, never two
 * at once. Requests are read by libfcgi, once they are there as a whole; answers go out as far as the
 * socket takes them, so that neither ever waits for the peer. */
#ifndef CRUDDUR_HTTP_FASTCGI_H
#define CRUDDUR_HTTP_FASTCGI_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"

struct fastcgi;

/* Once per process, before anything else here. Leaves the signal handling as it was. */
void fastcgi_setup(void);

enum { FASTCGI_REQUEST_MAX = 128 * 1024 }; /* bytes of one request with all its records */

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

/* Takes the request that fastcgi_look saw. Its parameters, valid until fastcgi_answer; NULL when
 * libfcgi cannot read it: close the connection. */
char **fastcgi_begin(struct fastcgi *connection);

/* The body into arena memory, NUL-terminated; only after FASTCGI_READY. */
const char *fastcgi_body(struct fastcgi *connection, struct arena *arena, size_t max,
                         size_t *length);

/* The rest of the request will not be read: the connection closes after the answer. */
void fastcgi_give_up(struct fastcgi *connection);

enum fastcgi_sent {
    FASTCGI_SENT,
    FASTCGI_UNSENT, /* not all: call fastcgi_send_rest when the socket takes more */
    FASTCGI_BROKEN  /* the peer is gone: close it */
};

/* Answers the request and ends it. The bytes are sent or copied. */
enum fastcgi_sent fastcgi_answer(struct fastcgi *connection, const char *head, size_t head_length,
                                 const char *body, size_t body_length);

enum fastcgi_sent fastcgi_send_rest(struct fastcgi *connection);

/* Whether the connection is for another request; else close it once all is sent. */
bool fastcgi_is_kept(const struct fastcgi *connection);

/* Frees the connection and closes its descriptor. */
void fastcgi_close(struct fastcgi *connection);

#endif
