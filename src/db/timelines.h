/* The latest timeline of each system that a session of the pool has seen, in memory that the pool
 * shares. A primary begins a new timeline when it is promoted. Sessions with the previous primary,
 * which may go on for a while, then have an earlier timeline: what they read may lack what the new
 * primary has acknowledged, and what they write is lost later. */
#ifndef CRUDDUR_DB_TIMELINES_H
#define CRUDDUR_DB_TIMELINES_H

#include <stdatomic.h>
#include <stdint.h>

struct server;

enum { TIMELINES_MAX = 4 }; /* systems; further ones are not tracked */

/* The timeline of one system. Zeroed: the entry is free. system never changes once it is set, and
 * latest only grows. */
struct timeline {
    _Atomic uint64_t system;
    _Atomic uint32_t latest;
};

struct timelines {
    struct timeline systems[TIMELINES_MAX];
};

/* Notes what a server has reported about itself. Returns the entry of its system, which lives as
 * long as the shared memory; NULL if there is no entry left. */
struct timeline *timelines_note(struct timelines *timelines, const struct server *server);

#endif
