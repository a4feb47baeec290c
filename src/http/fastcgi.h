/* One connection from the front server, speaking FastCGI: many requests after one another, never
 * two at once. Requests are read by libfcgi, once they are there as a whole; management records,
 * refusals and aborts (FastCGI Specification 1.0, sections 4 and 5) are answered without it.
 * Answers go out as far as the socket takes them, so that neither ever waits for the peer. */
#ifndef CRUDDUR_HTTP_FASTCGI_H
#define CRUDDUR_HTTP_FASTCGI_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"

struct fastcgi;

/* Once per process, before anything else here. Leaves the signal handling as it was. */
void fastcgi_setup(void);

enum { FASTCGI_REQUEST_MAX = 128 * 1024 }; /* bytes of one request with all its records */

/* Takes a connected blocking socket over, and what was taken out of it before. */
struct fastcgi *fastcgi_open(int fd, const struct buf *buffered);

int fastcgi_fd(const struct fastcgi *connection);

enum fastcgi_state {
    FASTCGI_IDLE,     /* nothing has arrived since the last request */
    FASTCGI_PARTIAL,  /* part of a request */
    FASTCGI_READY,    /* a whole request */
    FASTCGI_OVERSIZE, /* more body than body_max: answerable, not worth reading on */
    FASTCGI_REFUSED,  /* no FastCGI, too long, or refused and without FCGI_KEEP_CONN: close it by
                         fastcgi_begin_closing */
    FASTCGI_FOREIGN,  /* no FastCGI from its first byte on, and nothing was read */
    FASTCGI_GONE      /* closed by the peer: close it */
};

/* What has come; never blocks. Answers what is no part of a request. A connection whose request has
 * a body over body_max closes after the answer. *answerable (for FASTCGI_PARTIAL): the parameters
 * are there, so that the client can be told what went wrong. */
enum fastcgi_state fastcgi_poll(struct fastcgi *connection, size_t body_max, bool *answerable);

enum fastcgi_interrupt {
    FASTCGI_UNINTERRUPTED,
    FASTCGI_ABORTED /* the peer doesn't want the answer: fastcgi_end, or answer it all the same */
};

/* What has come while a request is served, which fastcgi_begin has taken. The next request is left
 * for later. */
enum fastcgi_interrupt fastcgi_poll_abort(struct fastcgi *connection);

/* Whether something has come that fastcgi_poll has not looked at, and of which the socket says
 * nothing any more. */
bool fastcgi_has_more(const struct fastcgi *connection);

/* Appends what was taken out of the socket for a request that isn't whole. */
void fastcgi_buffered(const struct fastcgi *connection, struct buf *buffered);

/* Takes the request that fastcgi_poll saw. Its parameters, valid until fastcgi_answer; NULL when
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

/* Answers the request with a head and the first part of a body, and does not end it. Its parameters
 * are gone then, with all memory that the request took. */
enum fastcgi_sent fastcgi_begin_stream(struct fastcgi *connection, const char *head,
                                       size_t head_length, const char *part, size_t part_length);

/* A further part, of FRAMING_CONTENT_MAX bytes at most. Not while an earlier one is unsent. */
enum fastcgi_sent fastcgi_send_part(struct fastcgi *connection, const char *part, size_t length);

/* Ends an aborted request without an answer, or a stream. */
enum fastcgi_sent fastcgi_end(struct fastcgi *connection);

enum fastcgi_sent fastcgi_send_rest(struct fastcgi *connection);

/* Whether the connection is for another request; else close it once all is sent. */
bool fastcgi_is_reusable(const struct fastcgi *connection);

/* The peer sees the end of what is sent to it, and what it still sends is read away: a socket that
 * is closed with bytes unread resets the connection, and the answer with it. Both are false when it
 * can be closed. */
bool fastcgi_begin_closing(struct fastcgi *connection);
bool fastcgi_discard(struct fastcgi *connection);

/* Whether more may wait in the socket of a connection that isn't kept. */
bool fastcgi_may_have_unread(const struct fastcgi *connection);

/* Frees the connection and closes its descriptor. */
void fastcgi_close(struct fastcgi *connection);

#endif
