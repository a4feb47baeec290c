/* The pool's one process that polls for writes from elsewhere, another host's or psql's, so that no
 * worker serves a cached page that is out of date. Its pace depends on what is wanted:
 *
 *     a page was requested within MARK_IDLE_MS   every --feed-watch ms
 *     otherwise, streams of events are open      every WATCHER_STREAM_MS, or --feed-watch if longer
 *     otherwise                                  it sleeps and sends nothing
 *
 * Events may be later than pages, so streams alone cost the database five statements a second for
 * the whole pool, however many are open. A request ends both kinds of sleep. Such a request is
 * answered by a statement of its own, since the last poll is too old for a hit. */
#ifndef CRUDDUR_HELPER_WATCHER_H
#define CRUDDUR_HELPER_WATCHER_H

#include <stdbool.h>

#include "helper/helper.h"

struct catalog;
struct config;
struct mark;
struct scoreboard;

enum { WATCHER_STREAM_MS = 200 };

struct watcher {
    struct helper helper;
    struct mark *mark;
    struct scoreboard *scoreboard; /* its session uses the counts and timelines */
    const struct config *config;   /* this and catalog: as given at its last start */
    const struct catalog *catalog;
};

/* Call this before the workers are forked. False: errno says why. */
bool watcher_prepare(struct watcher *watcher, struct scoreboard *scoreboard);

/* Whether the settings want it. */
bool watcher_is_wanted(const struct config *config);

/* Starts it if it is wanted and does not run. */
void watcher_ensure(struct watcher *watcher, const struct config *config,
                    const struct catalog *catalog);

#endif
