/* The pool's one process that takes away what has expired or was deleted, and has replies end with
 * what they reply to. Of all hosts' purgers and bin/db-purge one works at a time.
 *
 * It works in steps until one finds nothing to do. After each it pauses for PURGER_PAUSES times as
 * long as the step took: a busy server, where steps take longer, is left alone for longer. Then it
 * rests until the next activity expires, or until this pool has written something. It polls shared
 * memory for that, without a statement, every --purge-interval seconds. Writes from elsewhere
 * (another host, psql) are found after PURGER_REST_MS at the latest. */
#ifndef CRUDDUR_HELPER_PURGER_H
#define CRUDDUR_HELPER_PURGER_H

#include <stdbool.h>

#include "helper/helper.h"

struct catalog;
struct config;
struct mark;
struct scoreboard;

enum {
    PURGER_PAUSES = 2,      /* between two steps, by what the first of them took */
    PURGER_PAUSE_MS = 10,   /* at least; at most PURGER_REST_MS */
    PURGER_REST_MS = 60000, /* at most, when nothing is foreseen */
    PURGER_BUSY_MAX =
        3, /* attempts in a row that find another purge at work, before it is logged */
    PURGER_LOG_MS = 60000 /* at least, between two lines about that */
};

struct purger {
    struct helper helper;
    const struct mark *mark;       /* of what the pool writes */
    struct scoreboard *scoreboard; /* whose counts and timelines its session uses */
    const struct config *config;   /* of its last start, as the next */
    const struct catalog *catalog;
};

/* Whether the settings want it. */
bool purger_is_wanted(const struct config *config);

/* Starts it if it is wanted and does not run. */
void purger_ensure(struct purger *purger, const struct config *config,
                   const struct catalog *catalog);

#endif
