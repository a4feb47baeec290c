/* The body of a client, for the files that make it:
 *
 *     client.c         the stages, from an event to an answer, and their times
 *     client_stream.c  a client with an open stream
 *     client_leave.c   the clients of a worker that leaves
 *
 * No other file includes this one. */
#ifndef CRUDDUR_WORKER_CLIENT_PRIVATE_H
#define CRUDDUR_WORKER_CLIENT_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "http/fastcgi.h"
#include "worker/client.h"
#include "worker/exchange.h"
#include "worker/stream.h"
#include "worker/watch.h"

/* What a client's socket is watched for. */
#define CLIENT_EVENTS ((uint32_t)(EPOLLIN | EPOLLRDHUP | EPOLLET))

/* A connection from the front server, and the request on it, one at a time.
 *
 *     IDLE ──bytes──► READING ──complete──► [begin]
 *     [begin] ──keys needed──► AWAITING_KEYS ──keys, or too late──► [begin]
 *     [begin] ──statement──► QUERYING ──result──► [answer]
 *     [begin] ──stream──► STREAMING ──aborted, or the worker leaves──► IDLE, or it is freed
 *     [begin] ──response──► [answer]
 *     [answer] ──socket is full──► SENDING ──all is sent──► IDLE, or CLOSING, or it is freed
 *
 * A stage is skipped if it takes no time. client_enter() is the only function that changes the
 * stage. client_close() may be called in any stage, except in QUERYING after the statement was
 * sent, because the statement's callback has the client's address. At the end of a worker
 * clients_close() may close all clients, because service_release() then frees pending statements
 * without calling them back. */
struct client {
    struct watch watch;
    struct fastcgi *fastcgi;
    struct exchange exchange;
    struct stream stream; /* of STREAMING */
    struct clients *clients;
    enum client_stage stage;
    int64_t end_ms; /* of the stage; unused in IDLE, QUERYING and STREAMING */
    bool has_missed_event;
    struct client *next, **link;
};

/* --- client.c --- */

void client_enter(struct client *client, enum client_stage stage, int limit_ms);

/* Closes the connection and frees the client. */
void client_close(struct client *client);

/* Arms its socket again. With EPOLLET an event that came while the client did not read is lost;
 * EPOLL_CTL_MOD reports it once more. */
void client_rearm(struct client *client, uint32_t events);

/* Goes on after the response was sent, or a part of it. May free the client. */
void client_sent(struct client *client, enum fastcgi_sent how);

/* Counts the request for /metrics. */
void client_count(struct client *client);

/* Sends the response and logs the request. May free the client. */
void client_answer(struct client *client);

/* Reads what has come, and serves a request that is complete. May free the client. */
void client_poll_and_serve(struct client *client);

/* Goes on with a request that awaited keys. may_wait_on: it may wait again, for newer keys. */
void client_resume(struct client *client, bool may_wait_on);

/* Whether a request is in a stage with a time limit. */
bool clients_are_timing(const struct clients *clients);

/* --- client_stream.c --- */

extern const struct stream_owner CLIENT_STREAM_OWNER;

/* Opens the stream that the response wants, or answers why not. May free the client. */
void client_open_stream(struct client *client);

/* An event of a client with a stream: the peer leaves, aborts it, or reads again. */
void client_stream_ready(struct client *client, uint32_t events);

/* Removes the client's stream from the open streams, if it has one, and logs its request. */
void client_finish_stream(struct client *client);

/* Ends the stream's response. If the peer does not read, the connection is closed and the response
 * stays incomplete. May free the client. */
void client_end_stream(struct client *client);

#endif
