/* The pool's one process that removes what has expired or was deleted, and lets replies end
 * together with what they reply to. Of all hosts' purgers and bin/db-purge, one works at a time.
 *
 * It works in steps until one finds nothing to do. After each it pauses for PURGER_PAUSES times as
 * long as the step took: a busy server, where steps take longer, is left alone for longer. Then it
 * rests until more is foreseen to be due, for example when the next activity expires, or until this
 * pool has written something. For the latter it polls shared memory every --purge-interval seconds,
 * without a statement. Writes from elsewhere (another host, psql) are found after PURGER_REST_MS at
 * the latest. */
#ifndef CRUDDUR_HELPER_PURGER_H
#define CRUDDUR_HELPER_PURGER_H

#include <stdbool.h>

#include "helper/helper.h"

struct catalog;
struct config;
struct mark;
struct scoreboard;

enum {
    PURGER_PAUSES = 2,      /* the pause after a step, in times of its duration */
    PURGER_PAUSE_MS = 10,   /* the shortest pause; the longest is PURGER_REST_MS */
    PURGER_REST_MS = 60000, /* the longest rest */
    PURGER_BUSY_MAX = 3,    /* attempts in a row that find another purge, before a log line */
    PURGER_LOG_MS = 60000   /* at least, between two such lines */
};

struct purger {
    struct helper helper;
    const struct mark *mark;       /* whose count of writes is polled */
    struct scoreboard *scoreboard; /* its session uses the counts and timelines */
    const struct config *config;   /* this and catalog: as given at its last start */
    const struct catalog *catalog;
};

/* Whether the settings want it. */
bool purger_is_wanted(const struct config *config);

/* Starts it if it is wanted and does not run. */
void purger_ensure(struct purger *purger, const struct config *config,
                   const struct catalog *catalog);

#endif
