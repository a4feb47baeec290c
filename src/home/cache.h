/* The newest page of the home feed, kept as the database gave it and served without asking again
 * while nothing can have changed: no write went out from this host, the watcher saw none that isn't in
 * it, and nothing in it has expired. One copy per worker and page length. */
#ifndef CRUDDUR_HOME_CACHE_H
#define CRUDDUR_HOME_CACHE_H

#include <stdbool.h>

#include "db/connection.h"
#include "home/mark.h"
#include "shared/counts.h"

struct feed_settings {
    struct feed_mark *mark;
    int watch_ms;     /* between the watcher's looks */
    bool wants_week4; /* the shape of the frontend of week 4 */
    int stale_s;      /* how long a page is served, marked as stale, while the database is away */
    struct feed_counts *counts;
};

enum {
    FEED_PAGES_MAX = 4,   /* lengths for which a page is kept; further ones ask the database */
    FEED_LOOKS_MISSED = 5 /* of the watcher, before nothing is served without asking: a write from
                             elsewhere is seen after so many times watch_ms at the latest */
};

struct feed;

/* All must outlive it. */
struct feed *feed_new(const struct feed_settings *settings, const struct statement_runner *reads);
void feed_free(struct feed *feed); /* NULL is allowed */

/* Whether the statement asks for a page that may be kept. */
bool feed_takes(const struct statement *statement);

/* As connection_submit, for such a statement. Whoever asks while the page is being fetched gets what
 * comes, if nothing was written in between. */
void feed_submit(struct feed *feed, const struct statement *statement, statement_done *done,
                 void *context);

#endif
