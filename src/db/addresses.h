/* The order in which the addresses of the server are tried. */
#ifndef CRUDDUR_DB_ADDRESSES_H
#define CRUDDUR_DB_ADDRESSES_H

#include <stddef.h>
#include <stdint.h>

struct target;

/* What an attempt to connect knows of earlier ones. Zeroed it knows nothing. An address is stored
 * as its hash. */
struct session_memory {
    size_t count;       /* addresses that the last attempt had; 0: it found none */
    uint64_t last;      /* the address of the last session or attempt: the next starts behind it */
    uint64_t silent[8]; /* a ring of those that gave no answer: they come last */
    unsigned silent_next;
};

/* Leaves in order the indexes of the targets in the order in which they are to be tried: from
 * the one behind the last session's on, around; addresses that gave no answer come last. */
void addresses_sort(struct session_memory *memory, const struct target *targets, size_t count,
                    size_t *order);

void addresses_note_silent(struct session_memory *memory, const struct target *target);
void addresses_note_good(struct session_memory *memory, const struct target *target);

/* Every address has failed. The next attempt begins with the second, so that each one is the
 * last for some attempt: the last one has more time. first: the target that was tried first. */
void addresses_note_all_failed(struct session_memory *memory, const struct target *first);

#endif
