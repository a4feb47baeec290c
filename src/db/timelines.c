#include "db/timelines.h"

#include <stdbool.h>
#include <stddef.h>

#include "db/server.h"

/* The entry of the system. A free entry is taken for a new system. */
static struct timeline *entry_of(struct timelines *timelines, uint64_t system)
{
    for (size_t i = 0; i < TIMELINES_MAX; i++) {
        struct timeline *entry = &timelines->systems[i];
        uint64_t found = 0;

        /* found is the entry's system if it is not free. */
        if (atomic_compare_exchange_strong(&entry->system, &found, system) || found == system) {
            return entry;
        }
    }
    return NULL;
}

struct timeline *timelines_note(struct timelines *timelines, const struct server *server)
{
    struct timeline *entry = entry_of(timelines, server->system);

    if (entry != NULL && !server->is_standby) {
        uint32_t latest = atomic_load(&entry->latest);

        while (latest < server->timeline &&
               !atomic_compare_exchange_weak(&entry->latest, &latest, server->timeline)) {
        }
    }
    return entry;
}
