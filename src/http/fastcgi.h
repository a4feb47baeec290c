/* A FastCGI connection from the front server: many requests one after the other, never two at once.
 * libfcgi reads a request once all of it has arrived. This module answers management records,
 * refusals and aborts (FastCGI Specification 1.0, sections 4 and 5) itself. It sends as much of an
 * answer as the socket takes, so neither reading nor sending waits for the peer. */
#ifndef CRUDDUR_HTTP_FASTCGI_H
#define CRUDDUR_HTTP_FASTCGI_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"

struct fastcgi;

/* Call this once per process, before any other function of this module. It leaves the signal
 * handlers as they were. */
void fastcgi_setup(void);

enum { FASTCGI_REQUEST_MAX = 128 * 1024 }; /* bytes of one request with all its records */

/* Takes over a connected blocking socket, and the bytes that were read from it before. */
struct fastcgi *fastcgi_open(int fd, const struct buf *buffered);

int fastcgi_fd(const struct fastcgi *connection);

enum fastcgi_state {
    FASTCGI_IDLE,     /* nothing has arrived since the last request */
    FASTCGI_PARTIAL,  /* part of a request */
    FASTCGI_READY,    /* a whole request */
    FASTCGI_OVERSIZE, /* more body than body_max: answer it without reading the rest */
    FASTCGI_REFUSED,  /* no FastCGI, too long, or refused and without FCGI_KEEP_CONN: close it by
                         fastcgi_begin_closing */
    FASTCGI_FOREIGN,  /* no FastCGI from its first byte on, and nothing was read */
    FASTCGI_GONE      /* closed by the peer: close it */
};

/* Says what has arrived. Never blocks. Answers records that are no part of a request. A connection
 * whose request has a body over body_max closes after the answer. *answerable (for
 * FASTCGI_PARTIAL): the parameters have arrived, so that the client can get an error. */
enum fastcgi_state fastcgi_poll(struct fastcgi *connection, size_t body_max, bool *answerable);

enum fastcgi_interrupt {
    FASTCGI_UNINTERRUPTED,
    FASTCGI_ABORTED /* the peer doesn't want the answer: call fastcgi_end, or answer it all the
                       same */
};

/* Looks at what has arrived since fastcgi_begin took the request that is served. Leaves the next
 * request for later. */
enum fastcgi_interrupt fastcgi_poll_abort(struct fastcgi *connection);

/* Whether the buffer has bytes that fastcgi_poll has not parsed. The socket no longer reports them
 * as readable. */
bool fastcgi_has_more(const struct fastcgi *connection);

/* Appends the bytes of an incomplete request that were read from the socket. */
void fastcgi_buffered(const struct fastcgi *connection, struct buf *buffered);

/* Takes the request that fastcgi_poll found. Returns its parameters, which are valid until
 * fastcgi_answer. NULL: libfcgi cannot read the request; close the connection. */
char **fastcgi_begin(struct fastcgi *connection);

/* Reads the body into arena memory, NUL-terminated; only after FASTCGI_READY. */
const char *fastcgi_body(struct fastcgi *connection, struct arena *arena, size_t max,
                         size_t *length);

/* The rest of the request will not be read: the connection closes after the answer. */
void fastcgi_give_up(struct fastcgi *connection);

enum fastcgi_sent {
    FASTCGI_SENT,
    FASTCGI_UNSENT, /* not all was sent: call fastcgi_send_rest when the socket takes more */
    FASTCGI_BROKEN  /* the peer is gone: close it */
};

/* Answers the request and ends it. The bytes are sent or copied. */
enum fastcgi_sent fastcgi_answer(struct fastcgi *connection, const char *head, size_t head_length,
                                 const char *body, size_t body_length);

/* Answers the request with a head and the first part of a body, and does not end it. Frees the
 * parameters and libfcgi's other memory of the request. */
enum fastcgi_sent fastcgi_begin_stream(struct fastcgi *connection, const char *head,
                                       size_t head_length, const char *part, size_t part_length);

/* Sends a further part, of FRAMING_CONTENT_MAX bytes at most. Not while an earlier one is
 * unsent. */
enum fastcgi_sent fastcgi_send_part(struct fastcgi *connection, const char *part, size_t length);

/* Ends an aborted request without an answer, or a stream. */
enum fastcgi_sent fastcgi_end(struct fastcgi *connection);

enum fastcgi_sent fastcgi_send_rest(struct fastcgi *connection);

/* Whether another request may follow on the connection; if not, close it once all is sent. */
bool fastcgi_is_reusable(const struct fastcgi *connection);

/* fastcgi_begin_closing ends the stream to the peer; both discard what the peer still sends. This
 * is needed because closing a socket with unread bytes resets the connection, and the peer can then
 * lose the answer. Both return false when the connection can be closed. */
bool fastcgi_begin_closing(struct fastcgi *connection);
bool fastcgi_discard(struct fastcgi *connection);

/* Whether the socket of a connection that is not reusable may have unread bytes. */
bool fastcgi_may_have_unread(const struct fastcgi *connection);

/* Frees the connection and closes its descriptor. */
void fastcgi_close(struct fastcgi *connection);

#endif
