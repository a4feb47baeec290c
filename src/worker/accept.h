/* New connections, from the listening socket and from workers that leave, shared out so that no
 * worker has many more than another.
 *
 * Left to itself a pool isn't fair: a worker that is busy comes round to the socket before the ones
 * that the kernel wakes for it have begun to run, and who has most to do gets still more. Two of
 * four workers had nearly all connections then, and requests waited behind each other twice as
 * long. */
#ifndef CRUDDUR_WORKER_ACCEPT_H
#define CRUDDUR_WORKER_ACCEPT_H

#include <stdbool.h>
#include <stdint.h>

struct clients;
struct worker_place;

enum {
    ARRIVALS_AHEAD_MAX = 2,    /* connections more than another worker has, before one passes on */
    ARRIVALS_LOOK_MS = 1,      /* between looks whether others have taken what was passed on */
    ARRIVALS_PATIENCE_MS = 10, /* for them to take it */
    ARRIVALS_KEEP_MS = 100,    /* for which nothing is passed on when they didn't */
    ARRIVALS_PAUSE_MS = 100,   /* without descriptors for more connections */
    ARRIVALS_LOG_MS = 60000,   /* between two lines about that */
    ARRIVALS_RESERVE = 12      /* descriptors that connections leave: four sessions, and for each a
                             look-up and a file or a query of the resolver */
};

struct arrivals {
    const struct worker_place *place;
    struct clients *clients;
    int epoll_fd;
    bool is_open;
    bool has_connection, has_handover; /* in this turn of the loop */
    int64_t accept_again_ms;           /* nothing is accepted or taken over until then; 0: it is */
    int64_t logged_ms;                 /* when the lack of descriptors was last told of; 0: never */
    int64_t patient_until_ms;          /* others may take what was passed on; 0: nothing was */
    int64_t pass_again_ms;             /* nothing is passed on until then */
};

/* Begins to look at both. False: errno says why. */
bool arrivals_open(struct arrivals *arrivals);
void arrivals_close(struct arrivals *arrivals);

/* Notes that an epoll event is for one of them; false when it isn't. */
bool arrivals_event(struct arrivals *arrivals, const void *who);

/* Takes what was noted, and looks at the time. */
void arrivals_proceed(struct arrivals *arrivals);

/* Milliseconds until arrivals_proceed has something to do, or -1. */
int arrivals_wait_ms(const struct arrivals *arrivals);

/* Takes all that still wait, as nobody will later. To be called when closed. */
void arrivals_take_rest(struct arrivals *arrivals);

#endif
