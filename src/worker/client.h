/* The connections from the front server that a worker has accepted, each with the request on it: it
 * arrives, may wait for an issuer's keys and for the database, and is answered. No stage of that
 * makes the worker wait. */
#ifndef CRUDDUR_WORKER_CLIENT_H
#define CRUDDUR_WORKER_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/handover.h"
#include "shared/scoreboard.h"
#include "worker/service.h"

struct client;

enum client_stage {
    CLIENT_IDLE,
    CLIENT_ARRIVING,  /* part of its request is there; at most request_timeout */
    CLIENT_PARKED,    /* until there are fresh keys; at most CLIENT_KEYS_WAIT_MS */
    CLIENT_ASKING,    /* until its statement is done; the database connection sees to the time */
    CLIENT_ANSWERING, /* until it has taken its answer; at most CLIENT_SEND_TIMEOUT_MS */
    CLIENT_CLOSING,   /* until it has closed its side as well; at most CLIENT_SEND_TIMEOUT_MS */
    CLIENT_STAGES
};

enum {
    CLIENT_KEYS_WAIT_MS = 1500,
    CLIENT_KEYS_LOOK_MS = 10, /* between looks for them */
    CLIENT_SEND_TIMEOUT_MS = 2000
};

struct clients {
    struct service *service;
    struct score *score;
    struct client *first;
    int in_stage[CLIENT_STAGES];
    uint32_t keys_generation; /* of the last look at the parked ones */
    int epoll_fd;
};

/* Takes a connected socket over, with the bytes that another worker has read from it. */
void clients_add(struct clients *clients, int fd, const struct buf *arrived);

/* Looks at the time and at the keys. */
void clients_proceed(struct clients *clients);

/* Milliseconds until clients_proceed has something to do, or -1. */
int clients_wait_ms(const struct clients *clients);

/* Whether a request is under way, from its first byte to its answer's last. */
bool clients_are_busy(const struct clients *clients);

/* For a worker that leaves. */
void clients_look_once_more(struct clients *clients); /* at what has arrived without an event yet */
void clients_unpark(struct clients *clients);         /* whoever waits for keys waits no longer */
/* Gives all connections away that are not being served. What has come of a request goes with it. */
void clients_hand_over(struct clients *clients, const struct handover *handover);
/* Likewise, to the next server on the listening socket. False, errno says why: those for which that
 * doesn't work stay. */
bool clients_leave(struct clients *clients, int listen_fd);
void clients_close(struct clients *clients);

#endif
