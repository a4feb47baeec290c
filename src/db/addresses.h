/* The order in which the addresses of the server are tried. */
#ifndef CRUDDUR_DB_ADDRESSES_H
#define CRUDDUR_DB_ADDRESSES_H

#include <stddef.h>
#include <stdint.h>

struct target;

/* What an attempt to connect knows of earlier attempts. Zeroed: nothing. An address is stored as
 * its hash. */
struct session_memory {
    size_t count;       /* addresses that the last attempt had; 0: none was found */
    uint64_t last;      /* the last session or attempt: the next one starts behind it */
    uint64_t silent[8]; /* a ring of addresses that gave no answer: they come last */
    unsigned silent_next;
};

/* Writes into order the indexes of the targets in the order in which they are to be tried: from
 * the target behind memory->last to the end of the list, then from its beginning. Addresses that
 * gave no answer come last. */
void addresses_sort(struct session_memory *memory, const struct target *targets, size_t count,
                    size_t *order);

void addresses_note_silent(struct session_memory *memory, const struct target *target);
void addresses_note_good(struct session_memory *memory, const struct target *target);

/* Call this when every address has failed. The next attempt begins with the second address, so
 * that each address is the last one in some attempt: the last one has more time to answer. first:
 * the target that was tried first. */
void addresses_note_all_failed(struct session_memory *memory, const struct target *first);

#endif
