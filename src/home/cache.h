/* The cached first page of home: a worker keeps the bytes that the database gave and serves them
 * again without a statement while they are fresh. There is one page for each length (?limit=) that
 * is requested, CACHE_PAGES_MAX of them.
 *
 * A request is one of
 *     hit        the page is fresh: it is answered at once
 *     coalesced  the page is being filled, by a statement that sees all that a new one would see:
 *                the request waits for its result
 *     miss       a statement is sent, and its result becomes the page
 * While the database is away, a page that is no longer fresh is served for stale_s seconds and
 * marked as stale (struct result).
 *
 * A page is fresh while all of these hold:
 * - no write of this pool was counted since before it was requested from the database (mark.h);
 * - the watcher's last successful poll began less than CACHE_POLLS_MISSED intervals ago, on the
 *   same server as the page;
 * - the watcher saw no change since before the page was requested, or only changes that the page's
 *   snapshot covers;
 * - the first of its activities has not expired. */
#ifndef CRUDDUR_HOME_CACHE_H
#define CRUDDUR_HOME_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "db/connection.h"

struct cache_counts;
struct mark;
struct statement;
struct statement_def;

struct cache_settings {
    const struct statement_def *home; /* the statement whose pages are cached */
    struct mark *mark;
    int watch_ms;     /* the watcher's interval */
    bool wants_week4; /* the page has the form that the frontend of week 4 needs */
    int stale_s;      /* how long a page is served while the database is away */
    struct cache_counts *counts;
};

enum {
    CACHE_PAGES_MAX = 4, /* requests for further lengths go to the database */
    /* Polls that may fail or be late before no page is fresh. A write from elsewhere is in the
     * answers after this number times watch_ms at the latest. */
    CACHE_POLLS_MISSED = 5
};

/* What HTTP caches need to know of a cached answer. */
struct cache_info {
    const char *etag; /* of the body */
};

/* As statement_done. info: NULL if the answer is not in the cache. */
typedef void cache_done(void *context, const struct result *result, const struct cache_info *info);

struct cache;

/* settings, reads and what they point to must outlive the cache. */
struct cache *cache_new(const struct cache_settings *settings,
                        const struct statement_runner *reads);
void cache_free(struct cache *cache); /* NULL is allowed */

/* Whether the statement requests a page that may be cached. */
bool cache_accepts(const struct cache *cache, const struct statement *statement);

/* Answers such a statement with the cached page, at once or when the page is filled. False: all
 * slots are being filled with pages of other lengths, so the caller must send the statement. */
bool cache_submit(struct cache *cache, const struct statement *statement, cache_done *done,
                  void *context);

/* --- for streams of events, which have no request --- */

/* A page as it was last filled, valid until the next call of the cache. */
struct cache_look {
    const char *etag;
    const char *body;
    size_t body_length;
    bool is_current;   /* it has all that the pool wrote and all that the watcher saw */
    int64_t polled_us; /* when the watcher's last successful poll began; monotonic */
};

/* Gives the page of that length as it was last filled. False: it is not filled. */
bool cache_look(struct cache *cache, const char *limit, struct cache_look *look);

/* Fills the page, with one statement for all callers that ask for it meanwhile. This does not count
 * as a request: neither the watcher's pace nor the counters change. False: as in cache_submit. */
bool cache_refresh(struct cache *cache, const char *limit, cache_done *done, void *context);

#endif
