/* Freshness is decided by comparison, not by messages. A page has the version of the mark that was
 * read before its statement was sent. It is fresh while the mark shows the same version, or changes
 * that the page's snapshot covers. If a write comes between the reading of the mark and the
 * statement, the page looks older than it is, which costs a statement. With the other order, a page
 * without the write could be served as fresh.
 *
 * A fill belongs to a page and not to a request: it is never cancelled, and its result goes to all
 * requests that wait for it. Several fills of one page can be under way when writes come between
 * them. Each answers its own waiters, and only the newest result stays. */
#include "home/cache.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/counter.h"
#include "base/memory.h"
#include "base/status.h"
#include "base/trace.h"
#include "db/pipeline.h"
#include "db/statement.h"
#include "home/mark.h"
#include "home/snapshot.h"
#include "http/etag.h"
#include "shared/counts.h"

/* A request that waits for a fill. */
struct waiter {
    cache_done *done;
    void *context;
    struct waiter *next;
};

/* The two counters of the mark, read before the database is asked. A write that happens in between
 * changes them, so that the page is out of date when it arrives. */
struct version {
    uint64_t writes;
    uint64_t sequence;
};

/* A page is unused (limit is ""), empty (a fill is under way or has failed), or filled. It belongs
 * to one limit until another one needs its slot. A filled page stays filled, fresh or not, because
 * it may be served stale; only the next result that is at least as new replaces it. */
struct cached_page {
    char limit[8]; /* rows, as the statement has it */
    bool is_filled;
    struct buf body;
    struct buf next_key; /* empty: this is the last page */
    struct buf seen;     /* the snapshot of body, as text */
    char etag[ETAG_SIZE];
    struct version version;
    struct snapshot snapshot;
    int64_t visibility; /* as in struct result */
    int64_t expires_us; /* when the first of its activities expires */
    int64_t fresh_us;   /* when it was last known to have what the database has */
    int64_t used_us;
    struct fill *fill; /* the newest one under way, which requests may join; NULL: none */
    int fills;         /* how many are under way: while not 0, the slot cannot be reused */
};

/* A statement that was sent for a page, with the requests that wait for it. It frees itself when it
 * is done. */
struct fill {
    struct cache *cache;
    struct cached_page *page;
    struct statement statement;
    struct version version;
    int64_t asked_us;
    struct waiter *waiters;
    struct fill *next, **link; /* in the list of all */
};

struct cache {
    const struct cache_settings *settings;
    const struct statement_runner *reads;
    struct cached_page pages[CACHE_PAGES_MAX];
    struct fill *fills;
};

struct cache *cache_new(const struct cache_settings *settings, const struct statement_runner *reads)
{
    struct cache *cache = memory_zeroed(sizeof *cache);

    cache->settings = settings;
    cache->reads = reads;
    return cache;
}

static void fill_free(struct fill *fill)
{
    struct waiter *waiter;

    while ((waiter = fill->waiters) != NULL) {
        fill->waiters = waiter->next;
        memory_free(waiter);
    }
    *fill->link = fill->next;
    if (fill->next != NULL) {
        fill->next->link = fill->link;
    }
    memory_free(fill);
}

void cache_free(struct cache *cache)
{
    if (cache == NULL) {
        return;
    }
    while (cache->fills != NULL) {
        fill_free(cache->fills);
    }
    for (size_t i = 0; i < CACHE_PAGES_MAX; i++) {
        buf_release(&cache->pages[i].body);
        buf_release(&cache->pages[i].next_key);
        buf_release(&cache->pages[i].seen);
    }
    memory_free(cache);
}

bool cache_accepts(const struct cache *cache, const struct statement *statement)
{
    return statement->def == cache->settings->home &&
           statement_value(statement, "after_us") == NULL;
}

/* The page of that length, in a slot of its own or in that of the least recently used page. NULL:
 * all slots are being filled. */
static struct cached_page *page_of(struct cache *cache, const char *limit)
{
    struct cached_page *oldest = NULL;

    for (size_t i = 0; i < CACHE_PAGES_MAX; i++) {
        struct cached_page *page = &cache->pages[i];

        if (strcmp(page->limit, limit) == 0) {
            return page;
        }
        if (page->fills == 0 && (oldest == NULL || page->used_us < oldest->used_us)) {
            oldest = page;
        }
    }
    if (oldest != NULL) {
        oldest->is_filled = false;
        snprintf(oldest->limit, sizeof oldest->limit, "%s", limit);
    }
    return oldest;
}

/* --- freshness --- */

static struct version version_of(const struct mark_view *view)
{
    return (struct version){view->writes, view->sequence};
}

/* Whether then_us is so recent that writes from elsewhere since then may be missing in an answer
 * (CACHE_POLLS_MISSED). */
static bool is_recent(const struct cache *cache, int64_t then_us, int64_t now_us)
{
    return now_us - then_us <= cache->settings->watch_ms * INT64_C(1000) * CACHE_POLLS_MISSED;
}

/* Whether the page has all changes that the watcher saw. Most of these are writes of this pool.
 * After each of them the page was filled again, so its snapshot covers them. */
static bool has_changes(const struct cached_page *page, const struct mark_view *view)
{
    const struct snapshot latest = {.server = view->server, .xmax = view->xmax};

    return page->version.sequence == view->sequence || snapshot_covers(&page->snapshot, &latest);
}

/* The servers differ if the read session has moved to another server and the watcher's session has
 * not. */
static bool is_current(const struct cached_page *page, const struct mark_view *view, int64_t now_us)
{
    return page->is_filled && now_us < page->expires_us && view->is_consistent &&
           page->version.writes == view->writes && page->snapshot.server == view->server &&
           has_changes(page, view);
}

static bool is_fresh(const struct cache *cache, const struct cached_page *page,
                     const struct mark_view *view, int64_t now_us)
{
    return is_recent(cache, view->polled_us, now_us) && is_current(page, view, now_us);
}

/* Whether a request may join the fill: a statement that is sent now would see nothing that this one
 * may miss. */
static bool is_joinable(const struct cache *cache, const struct fill *fill,
                        const struct mark_view *view, int64_t now_us)
{
    return !view->is_divided &&
           (is_recent(cache, view->polled_us, now_us) ||
            is_recent(cache, fill->asked_us, now_us)) &&
           fill->version.writes == view->writes && fill->version.sequence == view->sequence;
}

/* Whether the page may be served in place of an error, because the database is away. */
static bool is_servable_stale(const struct cache *cache, const struct cached_page *page,
                              const struct result *result, int64_t now_us)
{
    return (result->status == STATUS_DATABASE_UNAVAILABLE ||
            result->status == STATUS_DATABASE_TIMEOUT) &&
           page->is_filled && now_us < page->expires_us &&
           now_us - page->fresh_us < cache->settings->stale_s * INT64_C(1000000);
}

/* --- filling --- */

static struct result result_of(const struct cached_page *page)
{
    return (struct result){
        .status = STATUS_OK,
        .outcome = "ok",
        .body = page->body.bytes,
        .body_length = page->body.length,
        .next_key = page->next_key.length > 0 ? page->next_key.bytes : NULL,
        .seen = page->seen.bytes,
        .visibility = page->visibility,
    };
}

static void store(struct cached_page *page, const struct fill *fill, const struct result *result,
                  const struct snapshot *snapshot)
{
    page->is_filled = true;
    page->version = fill->version;
    page->snapshot = *snapshot;
    page->visibility = result->visibility;
    page->fresh_us = fill->asked_us;
    page->expires_us = result->lives_us < 0 ? INT64_MAX : fill->asked_us + result->lives_us;
    buf_clear(&page->body);
    buf_append(&page->body, result->body, result->body_length);
    buf_clear(&page->next_key);
    buf_text(&page->next_key, result->next_key != NULL ? result->next_key : "");
    buf_clear(&page->seen);
    buf_text(&page->seen, result->seen);
    etag_make(page->etag, result->body, result->body_length);
}

/* A fill that was begun earlier may end later. */
static bool is_newer(const struct fill *fill, const struct cached_page *page)
{
    return !page->is_filled || (fill->version.writes >= page->version.writes &&
                                fill->version.sequence >= page->version.sequence);
}

static void fill_done(void *context, const struct result *result)
{
    struct fill *fill = context;
    struct cached_page *page = fill->page;
    int64_t now_us = clock_us();
    struct result answer = *result;
    struct cache_info info = {.etag = NULL};

    page->fills--;
    if (page->fill == fill) {
        page->fill = NULL;
    }
    if (result->status == STATUS_OK && result->body != NULL) {
        struct snapshot snapshot;

        /* A standby gives no snapshot: it may lack changes that answers of other servers have
         * shown, so its pages are not stored. */
        if (snapshot_read(&snapshot, result->seen) && is_newer(fill, page)) {
            store(page, fill, result, &snapshot);
            info.etag = page->etag;
        }
    } else if (is_servable_stale(fill->cache, page, result, now_us)) {
        answer = result_of(page);
        info.etag = page->etag;
        answer.stale_s = (int)((now_us - page->fresh_us) / 1000000) + 1;
        answer.microseconds = result->microseconds;
        memcpy(answer.sqlstate, result->sqlstate, sizeof answer.sqlstate);
    }
    for (const struct waiter *waiter = fill->waiters; waiter != NULL; waiter = waiter->next) {
        waiter->done(waiter->context, &answer, info.etag != NULL ? &info : NULL);
    }
    fill_free(fill);
}

static void wait_for(struct fill *fill, cache_done *done, void *context)
{
    struct waiter *waiter = memory_zeroed(sizeof *waiter);

    *waiter = (struct waiter){.done = done, .context = context, .next = fill->waiters};
    fill->waiters = waiter;
}

static struct fill *fill_new(struct cache *cache, struct cached_page *page,
                             const struct mark_view *view)
{
    struct fill *fill = memory_zeroed(sizeof *fill);

    *fill = (struct fill){.cache = cache,
                          .page = page,
                          .statement = statement_of(cache->settings->home),
                          .version = version_of(view),
                          .asked_us = clock_us(),
                          .next = cache->fills,
                          .link = &cache->fills};
    if (fill->next != NULL) {
        fill->next->link = &fill->next;
    }
    cache->fills = fill;
    statement_bind(&fill->statement, "limit", page->limit);
    statement_bind(&fill->statement, "week4", cache->settings->wants_week4 ? "true" : "false");
    page->fill = fill;
    page->fills++;
    return fill;
}

/* Sends a statement for the page. The result is for this caller and for those that join the fill.
 * The statement belongs to the trace of this caller alone, and its deadline counts from this
 * caller's request, since a caller may ask for the page a second time (viewers.h). */
static void fill(struct cache *cache, struct cached_page *page, const struct mark_view *view,
                 const struct statement *of, cache_done *done, void *context)
{
    struct fill *fill = fill_new(cache, page, view);

    fill->statement.trace = of->trace;
    fill->statement.asked_us = of->asked_us;
    wait_for(fill, done, context);
    cache->reads->submit(cache->reads->context, &fill->statement, fill_done, fill);
}

/* --- requests --- */

static void serve_hit(struct cached_page *page, const struct mark_view *view, int64_t now_us,
                      cache_done *done, void *context)
{
    const struct result result = result_of(page);
    const struct cache_info info = {.etag = page->etag};

    /* The page covers all that the watcher has seen so far, so the next request need not compare
     * snapshots. */
    page->version = version_of(view);
    page->fresh_us = now_us;
    done(context, &result, &info);
}

bool cache_submit(struct cache *cache, const struct statement *statement, cache_done *done,
                  void *context)
{
    struct cached_page *page = page_of(cache, statement_value(statement, "limit"));
    struct cache_counts *counts = cache->settings->counts;
    int64_t now_us = clock_us();

    mark_request(cache->settings->mark, now_us);
    if (page == NULL) {
        counter_add(&counts->misses, 1);
        return false;
    }
    const struct mark_view view = mark_read(cache->settings->mark);
    page->used_us = now_us;
    if (is_fresh(cache, page, &view, now_us)) {
        counter_add(&counts->hits, 1);
        serve_hit(page, &view, now_us, done, context);
    } else if (page->fill != NULL && is_joinable(cache, page->fill, &view, now_us)) {
        counter_add(&counts->coalesced, 1);
        wait_for(page->fill, done, context);
    } else {
        counter_add(&counts->misses, 1);
        fill(cache, page, &view, statement, done, context);
    }
    return true;
}

/* --- streams --- */

bool cache_look(struct cache *cache, const char *limit, struct cache_look *look)
{
    struct cached_page *page = page_of(cache, limit);
    int64_t now_us = clock_us();

    if (page == NULL || !page->is_filled) {
        return false;
    }
    const struct mark_view view = mark_read(cache->settings->mark);
    page->used_us = now_us;
    *look = (struct cache_look){.etag = page->etag,
                                .body = page->body.bytes,
                                .body_length = page->body.length,
                                .is_current = is_current(page, &view, now_us),
                                .polled_us = view.polled_us};
    return true;
}

bool cache_refresh(struct cache *cache, const char *limit, cache_done *done, void *context)
{
    struct cached_page *page = page_of(cache, limit);
    const struct statement none = {.asked_us = 0}; /* now */
    int64_t now_us = clock_us();

    if (page == NULL) {
        return false;
    }
    const struct mark_view view = mark_read(cache->settings->mark);
    page->used_us = now_us;
    if (page->fill != NULL && is_joinable(cache, page->fill, &view, now_us)) {
        wait_for(page->fill, done, context);
    } else {
        fill(cache, page, &view, &none, done, context);
    }
    return true;
}
