/* A limit on log lines: one line in REPEATS_INTERVAL_MS for each key, however often its event
 * occurs. */
#ifndef CRUDDUR_BASE_REPEATS_H
#define CRUDDUR_BASE_REPEATS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

enum {
    REPEATS_MAX = 8, /* keys within an interval; further keys share an entry */
    REPEATS_KEY_SIZE = 64,
    REPEATS_INTERVAL_MS = 60000
};

/* Zeroed before its first use. */
struct repeats {
    struct repeat {
        char key[REPEATS_KEY_SIZE]; /* "": unused */
        int64_t logged_ms;
        unsigned unlogged;      /* events since then */
    } entries[REPEATS_MAX + 1]; /* the last one is shared by the keys that find no entry */
};

/* Whether the event is to be logged. If so, *unlogged is the number of events of its key that were
 * not logged before it. key is cut to REPEATS_KEY_SIZE - 1 bytes, and may be empty; now_ms is
 * monotonic. */
MUST_CHECK bool repeats_admit(struct repeats *repeats, const char *key, int64_t now_ms,
                              unsigned *unlogged);

#endif
