/* Where the primary's log was at which time: what a replica's position is compared with, to find out
 * up to which time the replica has everything. */
#ifndef CRUDDUR_HELPER_POSITIONS_H
#define CRUDDUR_HELPER_POSITIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/replicas.h"

struct server;

enum { POSITIONS_MAX = 1024 }; /* older ones are forgotten */

/* All of one timeline of one system. Zeroed there is none. */
struct positions {
    uint64_t system;
    uint32_t timeline;
    size_t count, next; /* a ring; the newest is before next */
    struct position {
        struct moment at;
        uint64_t position;
    } ring[POSITIONS_MAX];
};

/* The primary's answer to a question that was sent at that moment. One of another timeline than the
 * last makes those before it forgotten. */
void positions_add(struct positions *positions, const struct server *primary, struct moment at);

/* When the newest one was asked for; 0: there is none. */
int64_t positions_newest_us(const struct positions *positions);

/* Whether a server is of their system and timeline. */
bool positions_are_of(const struct positions *positions, const struct server *server);

/* The latest moment that a server of theirs covers: what the primary had then it has replayed. {0}: none
 * is known. */
struct moment positions_covered(const struct positions *positions, const struct server *replica);

#endif
