/* A descriptor in a worker's epoll set, with the function that its events are for. The watch is
 * data.ptr of the events, so that the loop calls the function without knowing what the descriptor
 * is.
 *
 * Its owner has it beside the descriptor and leaves it at its address until the descriptor is out
 * of the set. A function may free its own watch, but no other one that is in the set: the loop may
 * have an event for that still. */
#ifndef CRUDDUR_WORKER_WATCH_H
#define CRUDDUR_WORKER_WATCH_H

#include <stdint.h>

struct watch {
    void (*ready)(void *of, uint32_t events);
    void *of;
};

#endif
