/* The connections that a worker has accepted from the front server, each with at most one request.
 * The request passes the stages of enum client_stage. The worker blocks in none of them. All but
 * CLIENT_IDLE have a time limit; clients_proceed() enforces it, except where it says otherwise. */
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
    uint32_t keys_version; /* of the last look at the parked ones */
    int epoll_fd;
};

/* Begins without a client. scoreboard: the pool's. All must outlive the clients. */
void clients_init(struct clients *clients, struct service *service, struct score *score,
                  const struct scoreboard *scoreboard, int epoll_fd);

/* Takes a connected socket over, with the bytes that another worker has read from it. */
void clients_add(struct clients *clients, int fd, const struct buf *buffered);

/* Looks at the time and at the keys. */
void clients_proceed(struct clients *clients);

/* Milliseconds until clients_proceed has something to do, or -1. */
int clients_wait_ms(const struct clients *clients);

/* Whether a request is under way, from its first byte to its answer's last. */
bool clients_are_busy(const struct clients *clients);

/* --- for a worker that leaves --- */

/* Serves what has arrived without an event so far. */
void clients_poll(struct clients *clients);

/* Ends all streams, and from now on each that opens: no client waits for more than its end. */
void clients_end_streams(struct clients *clients);

/* Ends the wait for keys: judges the requests that await newer ones by the keys that there are. */
void clients_stop_awaiting_keys(struct clients *clients);

/* Gives the connections without a request under way to the other workers, with the part of a
 * request that was read. */
void clients_hand_over(struct clients *clients, const struct handover *handover);
/* The same, but to the next server on the listening socket. False, errno says why: some could not
 * be given away, and stay. */
bool clients_leave(struct clients *clients, int listen_fd);
void clients_close(struct clients *clients);

#endif
