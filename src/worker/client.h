/* The connections that a worker has accepted from the front server, each with at most one request.
 * The request passes the stages of enum client_stage. The worker blocks in none of them. All stages
 * but CLIENT_IDLE have a time limit. clients_proceed() enforces it, unless the stage's comment
 * names another file. */
#ifndef CRUDDUR_WORKER_CLIENT_H
#define CRUDDUR_WORKER_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/handover.h"
#include "shared/scoreboard.h"
#include "worker/service.h"
#include "worker/stream.h"

struct client;

enum client_stage {
    CLIENT_IDLE,
    CLIENT_READING,       /* a part of the request has arrived; request_timeout at most, then 408 */
    CLIENT_AWAITING_KEYS, /* the issuer's keys are being fetched; CLIENT_KEYS_WAIT_MS at most */
    CLIENT_QUERYING,  /* its statement is queued or sent; db/connection.c enforces the deadline */
    CLIENT_STREAMING, /* it gets events until it leaves; stream.c enforces the limits */
    CLIENT_SENDING,   /* the socket is full; CLIENT_SEND_TIMEOUT_MS at most */
    CLIENT_CLOSING,   /* until the peer has closed its side; CLIENT_SEND_TIMEOUT_MS at most */
    CLIENT_STAGES
};

enum {
    CLIENT_KEYS_WAIT_MS = 1500,
    CLIENT_KEYS_POLL_MS = 10, /* between two checks for new keys */
    CLIENT_SEND_TIMEOUT_MS = 2000
};

struct clients {
    struct service *service;
    struct score *score;
    struct client *first;
    struct streams streams;
    int in_stage[CLIENT_STAGES];
    uint32_t keys_version; /* at the last check of the clients that await keys */
    int epoll_fd;
};

/* Begins without a client. scoreboard: the pool's. All must outlive the clients. */
void clients_init(struct clients *clients, struct service *service, struct score *score,
                  const struct scoreboard *scoreboard, int epoll_fd);

/* Takes a connected socket over, with the bytes that another worker has read from it. */
void clients_add(struct clients *clients, int fd, const struct buf *buffered);

/* Enforces the time limits, resumes requests when there are new keys, and serves the streams. */
void clients_proceed(struct clients *clients);

/* Milliseconds until clients_proceed has something to do, or -1. */
int clients_wait_ms(const struct clients *clients);

/* Whether a request is under way: from its first byte to the last byte of its answer. */
bool clients_are_busy(const struct clients *clients);

/* --- for a worker that leaves --- */

/* Serves requests that have arrived and whose event was not handled yet. */
void clients_poll(struct clients *clients);

/* Ends all streams. A stream that opens later ends at once, so that its client does not wait for
 * events of a worker that leaves. */
void clients_end_streams(struct clients *clients);

/* Ends the wait for keys: the requests that await newer keys are decided with the keys that the
 * worker has. */
void clients_stop_awaiting_keys(struct clients *clients);

/* Gives the connections without a request under way to the other workers, with the part of a
 * request that was read. */
void clients_hand_over(struct clients *clients, const struct handover *handover);
/* Leaves the same connections to the next server on the listening socket (handover_leave()). False,
 * errno says why: some could not be given away and stay here. */
bool clients_leave(struct clients *clients, int listen_fd);
void clients_close(struct clients *clients);

#endif
