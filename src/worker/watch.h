/* The handler of a descriptor in a worker's epoll set. The watch is data.ptr of the events, so that
 * the loop calls the handler without knowing what the descriptor is.
 *
 * The owner keeps the watch beside the descriptor and does not move it until the descriptor is out
 * of the set. A handler may free its own watch, but no other watch in the set, because the loop may
 * still have an event for that one. */
#ifndef CRUDDUR_WORKER_WATCH_H
#define CRUDDUR_WORKER_WATCH_H

#include <stdint.h>

struct watch {
    void (*ready)(void *of, uint32_t events);
    void *of;
};

#endif
