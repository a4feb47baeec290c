/* The pool's one process that polls for writes from elsewhere, another host's or psql's, so that no
 * worker serves a cached page that is out of date. While no request comes for such a page the
 * watcher sleeps and sends nothing; the first request after that asks the database itself and wakes
 * the watcher. */
#ifndef CRUDDUR_HELPER_WATCHER_H
#define CRUDDUR_HELPER_WATCHER_H

#include <stdbool.h>

#include "helper/helper.h"

struct catalog;
struct config;
struct mark;
struct session_counts;

struct watcher {
    struct helper helper;
    struct mark *mark;
    struct session_counts *counts;
    const struct config *config; /* of its last start, as the next */
    const struct catalog *catalog;
};

/* Before the workers are forked. False: errno says why. */
bool watcher_prepare(struct watcher *watcher, struct session_counts *counts);

/* Whether the settings want it. */
bool watcher_is_wanted(const struct config *config);

/* Starts it if it is wanted and does not run. */
void watcher_ensure(struct watcher *watcher, const struct config *config,
                    const struct catalog *catalog);

#endif
