/* The open streams of a worker: Server-Sent Events (HTML Standard, section 9.2) that say when home
 * has changed. What they say is in news.h.
 *
 *     [opened] ──► DUE ──sent──► TOLD ──a new edition, or STREAM_COMMENT_MS──► DUE
 *                  DUE ──the socket is full──► STALLED ──all is sent──► TOLD, or DUE
 *                  STALLED ──STREAM_STALL_MS──► [ended]
 *     any state ──client leaves, worker leaves──► streams_remove
 *
 *     DUE      is sent an event if it does not have the newest edition, else a comment; in a turn of
 *              the loop STREAMS_BATCH of them at most, so that requests are served in between
 *     TOLD     waits, in the order in which something was last sent
 *     STALLED  has a part that its socket did not take. It is not waited for. Editions of the
 *              meantime are left out: the event after it tells the newest one, and its number of new
 *              posts counts from the edition that was told last.
 *
 * A list has all streams of a state, and only move() puts one there. A client owns its stream and the
 * connection; this module owns the lists. A stream holds the edition that it was told last.
 *
 * Limits: --streams, which are those of the whole pool; and of the descriptors of a worker one part
 * in STREAMS_DESCRIPTORS_SHARE, so that streams leave room for ordinary connections. */
#ifndef CRUDDUR_WORKER_STREAM_H
#define CRUDDUR_WORKER_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "worker/news.h"

struct edition;
struct fastcgi;
struct score;
struct scoreboard;
struct service;
struct stream;
struct streams;

enum {
    STREAMS_BATCH = 256,
    STREAMS_DESCRIPTORS_SHARE = 2,
    STREAMS_CHECK_MS = 50,     /* between two checks of the following times */
    STREAM_COMMENT_MS = 15000, /* without an event */
    STREAM_STALL_MS = 10000,
    /* What a client is told to wait before it connects again: by chance up to twice as long, so
     * that those of a worker that left do not come all at once. */
    STREAM_RETRY_MS = 2000
};

enum stream_state { STREAM_CLOSED, STREAM_DUE, STREAM_TOLD, STREAM_STALLED, STREAM_STATES };

struct stream_list {
    struct stream *first, *last;
};

struct stream {
    struct streams *streams;
    struct fastcgi *connection;
    struct edition *told; /* NULL: none */
    enum stream_state state;
    int64_t since_ms; /* in this state */
    uint64_t bytes;   /* of body, sent or queued */
    struct stream *next, *previous;
};

/* What an owner does for its streams. */
struct stream_owner {
    void (*stalled)(struct stream *stream, bool is_stalled); /* wants EPOLLOUT, or no longer */
    void (*ended)(struct stream *stream); /* it is in no list: close its connection */
};

/* All of a worker. Begins zeroed, without streams. */
struct streams {
    struct score *score;
    const struct scoreboard *scoreboard;
    const struct stream_owner *owner;
    struct stream_list lists[STREAM_STATES];
    int count;
    int pool_most, worker_most;
    bool is_leaving; /* a stream that opens ends at once */
    unsigned number; /* of the edition that all streams are due for, or were told */
    int64_t check_ms;
    struct news news;
};

/* What it points to must outlive it. */
void streams_init(struct streams *streams, struct service *service, struct score *score,
                  const struct scoreboard *scoreboard, const struct stream_owner *owner);
void streams_release(struct streams *streams); /* no stream may be open */

/* Whether one more may open. A refusal is counted. */
bool streams_admit(struct streams *streams);

/* Opens a zeroed stream on a connection with a request: sends the response's head. last_event_id: as
 * the client sent it, or NULL. False: the connection is broken, and the stream is not open. */
bool streams_add(struct streams *streams, struct stream *stream, struct fastcgi *connection,
                 const char *head, size_t head_length, const char *last_event_id);

/* The socket of a stalled stream takes more. False: the connection is broken, close it. */
bool streams_flush(struct stream *stream);

/* Takes it out, if it is open. */
void streams_remove(struct stream *stream);

/* Looks at home, at the time, and at the streams that are due. */
void streams_proceed(struct streams *streams);

/* Milliseconds until streams_proceed has something to do, or -1. */
int streams_wait_ms(const struct streams *streams);

#endif
