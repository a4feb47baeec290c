/* The open streams of a worker: Server-Sent Events (HTML Standard, section 9.2) that say when home
 * has changed. news.h has the content of the events.
 *
 *     [opened] ──► DUE ──sent──► TOLD ──a new edition, or STREAM_COMMENT_MS──► DUE
 *                  DUE ──the socket is full──► STALLED ──all is sent──► TOLD, or DUE
 *                  STALLED ──STREAM_STALL_MS──► [ended]
 *     any state ──client leaves, worker leaves──► streams_remove
 *
 *     DUE      gets an event if the client does not have the newest edition, else a comment. At
 *              most STREAMS_BATCH streams get one in a turn of the loop, so that requests are
 *              served in between
 *     TOLD     waits; the list is in the order in which something was last sent
 *     STALLED  its socket did not take all bytes. No other stream waits for it. Editions that
 *              appear meanwhile are left out: the next event is for the newest edition, and its
 *              number of new posts counts from the edition that was last sent.
 *
 * Each state has a list of its streams, and only move() adds to it. A client owns its stream and
 * the connection; this module owns the lists. A stream holds the edition that was last sent on it.
 *
 * Limits: --streams for the whole pool; and for a worker 1 / STREAMS_DESCRIPTORS_SHARE of its
 * descriptors, so that streams leave room for ordinary connections. */
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
    /* How long a client waits before it connects again. Each client gets a random time between this
     * and twice as long, so that the clients of a worker that left do not all come at once. */
    STREAM_RETRY_MS = 2000
};

enum stream_state { STREAM_CLOSED, STREAM_DUE, STREAM_TOLD, STREAM_STALLED, STREAM_STATES };

struct stream_list {
    struct stream *first, *last;
};

struct stream {
    struct streams *streams;
    struct fastcgi *connection;
    struct edition *told; /* the edition that was last sent; NULL: none */
    enum stream_state state;
    int64_t since_ms; /* when the state began */
    uint64_t bytes;   /* of body, sent or queued */
    struct stream *next, *previous;
};

/* Callbacks of the owner of a stream. */
struct stream_owner {
    void (*stalled)(struct stream *stream, bool is_stalled); /* wants EPOLLOUT, or no longer */
    void (*ended)(struct stream *stream); /* it is in no list now; close its connection */
};

/* All streams of a worker. */
struct streams {
    struct score *score;
    const struct scoreboard *scoreboard;
    const struct stream_owner *owner;
    struct stream_list lists[STREAM_STATES];
    int count;
    int pool_most, worker_most;
    bool is_leaving; /* a stream that opens ends at once */
    unsigned number; /* of the edition that each stream was sent, or is due for */
    int64_t check_ms;
    struct news news;
};

/* All arguments must outlive the streams. */
void streams_init(struct streams *streams, struct service *service, struct score *score,
                  const struct scoreboard *scoreboard, const struct stream_owner *owner);
void streams_release(struct streams *streams); /* no stream may be open */

/* Whether one more may open. A refusal is counted. */
bool streams_admit(struct streams *streams);

/* Opens a zeroed stream on a connection with a request: sends the response's head. last_event_id:
 * as the client sent it, or NULL. False: the connection is broken, and the stream is not open. */
bool streams_add(struct streams *streams, struct stream *stream, struct fastcgi *connection,
                 const char *head, size_t head_length, const char *last_event_id);

/* Sends the rest of a stalled stream. Call this when its socket takes more. False: the connection
 * is broken, close it. */
bool streams_flush(struct stream *stream);

/* Removes the stream from its list, if it is open. */
void streams_remove(struct stream *stream);

/* Checks for a new edition, enforces the time limits, and sends to the streams that are due. */
void streams_proceed(struct streams *streams);

/* Milliseconds until streams_proceed has something to do, or -1. */
int streams_wait_ms(const struct streams *streams);

#endif
