/* The latest timeline of each system that a session of the pool has seen, in memory that the pool
 * shares. A primary begins a new timeline when it is promoted. So the sessions with the primary
 * before it, which may go on for a while, have a timeline that is behind: what they read may lack
 * what the later primary has acknowledged, and nothing that they write lasts. */
#ifndef CRUDDUR_DB_TIMELINES_H
#define CRUDDUR_DB_TIMELINES_H

#include <stdatomic.h>
#include <stdint.h>

struct server;

enum { TIMELINES_MAX = 4 }; /* systems; more are not looked after */

/* Of one system. Zeroed it is free. Neither member changes back. */
struct timeline {
    _Atomic uint64_t system;
    _Atomic uint32_t latest;
};

struct timelines {
    struct timeline systems[TIMELINES_MAX];
};

/* A server has said what it is. Returns its system's entry, which stays as long as the memory does;
 * NULL: there is no room for it. */
struct timeline *timelines_note(struct timelines *timelines, const struct server *server);

#endif
