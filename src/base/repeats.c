/* Limits log lines of one kind, with a fixed amount of memory: a table of keys, each with the
 * time of its last line and a count of lines that were left out since. If every entry is in use,
 * further keys share the last entry, so that an attacker that makes up keys gets one line an
 * interval and not one for each. */
#include "base/repeats.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* An empty entry counts as one whose interval is over. */
static bool is_interval_over(const struct repeat *entry, int64_t now_ms)
{
    return entry->key[0] == '\0' || now_ms - entry->logged_ms >= REPEATS_INTERVAL_MS;
}

/* The key's own entry, one whose interval is over, or the shared one. */
static struct repeat *find_entry(struct repeats *repeats, const char *key, int64_t now_ms)
{
    struct repeat *found = NULL;

    for (size_t i = 0; i < REPEATS_MAX; i++) {
        if (strcmp(repeats->entries[i].key, key) == 0) {
            return &repeats->entries[i];
        }
        if (found == NULL && is_interval_over(&repeats->entries[i], now_ms)) {
            found = &repeats->entries[i];
        }
    }
    return found != NULL ? found : &repeats->entries[REPEATS_MAX];
}

bool repeats_admit(struct repeats *repeats, const char *key, int64_t now_ms, unsigned *unlogged)
{
    char own_key[REPEATS_KEY_SIZE];

    snprintf(own_key, sizeof own_key, "%s", *key != '\0' ? key : "?");
    struct repeat *entry = find_entry(repeats, own_key, now_ms);
    if (!is_interval_over(entry, now_ms)) {
        entry->unlogged++;
        return false;
    }
    bool is_shared = entry == &repeats->entries[REPEATS_MAX];
    *unlogged = is_shared || strcmp(entry->key, own_key) == 0 ? entry->unlogged : 0;
    strcpy(entry->key, own_key);
    entry->logged_ms = now_ms;
    entry->unlogged = 0;
    return true;
}
