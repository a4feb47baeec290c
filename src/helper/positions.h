/* The positions of the primary's log at known times. A replica's position is compared with them, to
 * find out up to which time the replica has everything. */
#ifndef CRUDDUR_HELPER_POSITIONS_H
#define CRUDDUR_HELPER_POSITIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/replicas.h"

struct server;

enum { POSITIONS_MAX = 1024 }; /* older ones are forgotten */

/* All positions are of one timeline of one system. Zeroed memory has none. */
struct positions {
    uint64_t system;
    uint32_t timeline;
    size_t count, next; /* a ring; the newest is before next */
    struct position {
        struct moment at;
        uint64_t position;
    } ring[POSITIONS_MAX];
};

/* Adds the primary's answer to a question that was sent at that moment. If it is of another system
 * or timeline than the last answer, all positions before it are dropped. */
void positions_add(struct positions *positions, const struct server *primary, struct moment at);

/* When the newest position was asked for; 0: there is none. */
int64_t positions_newest_us(const struct positions *positions);

/* Whether a server is of the system and timeline of the positions; false if there are none. */
bool positions_are_of(const struct positions *positions, const struct server *server);

/* The latest moment that a server of this system and timeline covers: it has replayed what the
 * primary had at that moment. {0}: no such moment is known. */
struct moment positions_covered(const struct positions *positions, const struct server *replica);

#endif
