/* Addresses are remembered by a hash, because targets are looked up anew for each attempt and are
 * freed at its end. If two addresses have the same hash, one of them is tried later than it should
 * be, but it is tried. */
#include "db/addresses.h"

#include <string.h>

#include "base/hash.h"
#include "db/lookup.h"

/* A comma ends each part, so that "a", "bc" and "ab", "c" have different hashes. */
static uint64_t add_part(uint64_t hash, const char *text)
{
    return hash_add(text != NULL ? hash_add(hash, text, strlen(text)) : hash, ",", 1);
}

static uint64_t hash_of(const struct target *target)
{
    uint64_t hash = add_part(HASH_START, target->host);

    hash = add_part(hash, target->address);
    return add_part(hash, target->port);
}

/* The address's entry in the ring of silent addresses; NULL: it has none. */
static uint64_t *silent_entry(struct session_memory *memory, uint64_t hash)
{
    for (size_t i = 0; i < sizeof memory->silent / sizeof memory->silent[0]; i++) {
        if (memory->silent[i] == hash) {
            return &memory->silent[i];
        }
    }
    return NULL;
}

void addresses_note_silent(struct session_memory *memory, const struct target *target)
{
    uint64_t hash = hash_of(target);

    if (silent_entry(memory, hash) == NULL) {
        memory->silent[memory->silent_next++ % (sizeof memory->silent / sizeof hash)] = hash;
    }
}

/* A server that was silent before has answered: it may be tried first again. */
void addresses_note_good(struct session_memory *memory, const struct target *target)
{
    uint64_t *silent = silent_entry(memory, hash_of(target));

    if (silent != NULL) {
        *silent = 0;
    }
    memory->last = hash_of(target);
}

void addresses_note_all_failed(struct session_memory *memory, const struct target *first)
{
    memory->last = hash_of(first);
}

void addresses_sort(struct session_memory *memory, const struct target *targets, size_t count,
                    size_t *order)
{
    size_t first = 0, placed = 0;

    for (size_t i = 0; i < count; i++) {
        first = hash_of(&targets[i]) == memory->last ? i + 1 : first;
    }
    for (int is_silent = 0; is_silent <= 1; is_silent++) {
        for (size_t i = 0; i < count; i++) {
            size_t index = (first + i) % count;
            uint64_t hash = hash_of(&targets[index]);

            if ((silent_entry(memory, hash) != NULL) == is_silent) {
                order[placed++] = index;
            }
        }
    }
}
