#include "home/cache.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/counter.h"
#include "base/memory.h"
#include "base/status.h"
#include "db/pipeline.h"
#include "db/statement.h"
#include "home/snapshot.h"
#include "http/etag.h"

/* Somebody who waits for a page. */
struct waiter {
    statement_done *done;
    void *context;
    struct waiter *next;
};

/* Two counters of the mark, read before the database is asked: a write in between is seen by the next
 * look at them. */
struct version {
    uint64_t generation;
    uint64_t changes;
};

struct page {
    char limit[8]; /* rows, as the statement has it; "" while unused */
    bool is_filled;
    struct buf body;
    struct buf next_key; /* empty: none */
    struct buf seen;     /* the snapshot of body, as text */
    char etag[ETAG_SIZE];
    struct version version;
    struct snapshot snapshot;
    int64_t dies_us;  /* when the first activity in it expires */
    int64_t fresh_us; /* when it was last known to be what the database has */
    int64_t used_us;
    struct fill *fill; /* the newest that is under way */
    int fills;         /* all that are */
};

/* A page that the database was asked for. */
struct fill {
    struct feed *feed;
    struct page *page;
    struct statement statement;
    struct version version;
    int64_t asked_us;
    struct waiter *waiters;
    struct fill *next, **link; /* of all */
};

struct feed {
    const struct feed_settings *settings;
    const struct statement_runner *reads;
    struct page pages[FEED_PAGES_MAX];
    struct fill *fills;
};

struct feed *feed_new(const struct feed_settings *settings, const struct statement_runner *reads)
{
    struct feed *feed = memory_zeroed(sizeof *feed);

    feed->settings = settings;
    feed->reads = reads;
    return feed;
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

void feed_free(struct feed *feed)
{
    if (feed == NULL) {
        return;
    }
    while (feed->fills != NULL) {
        fill_free(feed->fills);
    }
    for (size_t i = 0; i < FEED_PAGES_MAX; i++) {
        buf_release(&feed->pages[i].body);
        buf_release(&feed->pages[i].next_key);
        buf_release(&feed->pages[i].seen);
    }
    memory_free(feed);
}

bool feed_takes(const struct statement *statement)
{
    return statement->id == STATEMENT_ACTIVITIES_HOME &&
           statement_value(statement, "after_us") == NULL;
}

/* The place of the page of that length: its own, or that of one that was not asked for for longer
 * than the others. NULL: all are being filled just now. */
static struct page *page_of(struct feed *feed, const char *limit)
{
    struct page *oldest = NULL;

    for (size_t i = 0; i < FEED_PAGES_MAX; i++) {
        struct page *page = &feed->pages[i];

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

/* --- serving what is kept --- */

static struct result result_of(const struct page *page)
{
    return (struct result){
        .status = STATUS_OK,
        .outcome = "ok",
        .body = page->body.bytes,
        .body_length = page->body.length,
        .next_key = page->next_key.length > 0 ? page->next_key.bytes : NULL,
        .seen = page->seen.bytes,
        .etag = page->etag,
    };
}

static struct version version_now(const struct feed *feed)
{
    return (struct version){atomic_load(&feed->settings->mark->generation),
                            atomic_load(&feed->settings->mark->changes)};
}

static bool is_same(const struct version *version, const struct version *other)
{
    return version->generation == other->generation && version->changes == other->changes;
}

/* Whether the page has what the watcher saw: as a rule what it sees is what the pool wrote, for which
 * the page was fetched anew already. */
static bool has_changes(const struct feed *feed, struct page *page, uint64_t changes)
{
    const struct feed_mark *mark = feed->settings->mark;
    const struct snapshot latest = {.server = atomic_load(&mark->server),
                                    .xmax = atomic_load(&mark->xmax)};

    if (changes % 2 != 0 || !snapshot_covers(&page->snapshot, &latest) ||
        atomic_load(&mark->changes) != changes) {
        return false;
    }
    page->version.changes = changes;
    return true;
}

/* Whether that is so short a time ago that a write from elsewhere may still be unseen. */
static bool is_recent(const struct feed *feed, int64_t then_us, int64_t now_us)
{
    return now_us - then_us <= feed->settings->watch_ms * INT64_C(1000) * FEED_LOOKS_MISSED;
}

static bool is_watched(const struct feed *feed, int64_t now_us)
{
    return is_recent(feed, atomic_load(&feed->settings->mark->looked_us), now_us);
}

/* Not so where one session was moved to another server and the watcher's wasn't. */
static bool is_of_watched_server(const struct feed *feed, const struct page *page)
{
    return page->snapshot.server == atomic_load(&feed->settings->mark->server);
}

static bool is_current(const struct feed *feed, struct page *page, int64_t now_us)
{
    if (!page->is_filled || now_us >= page->dies_us || !is_watched(feed, now_us)) {
        return false;
    }
    /* After the time of the look, which is noted behind what it saw. */
    const struct version now = version_now(feed);

    if (page->version.generation != now.generation || !is_of_watched_server(feed, page) ||
        (page->version.changes != now.changes && !has_changes(feed, page, now.changes))) {
        return false;
    }
    page->fresh_us = now_us;
    return true;
}

/* Instead of the news that there is no database, for a while. */
static bool may_be_stale(const struct feed *feed, const struct page *page,
                         const struct result *result, int64_t now_us)
{
    return (result->status == STATUS_DATABASE_UNAVAILABLE ||
            result->status == STATUS_DATABASE_TIMEOUT) &&
           page->is_filled && now_us < page->dies_us &&
           now_us - page->fresh_us < feed->settings->stale_s * INT64_C(1000000);
}

/* --- filling --- */

static void keep(struct page *page, const struct fill *fill, const struct result *result,
                 const struct snapshot *snapshot)
{
    page->is_filled = true;
    page->version = fill->version;
    page->snapshot = *snapshot;
    page->fresh_us = fill->asked_us;
    page->dies_us = result->lives_us < 0 ? INT64_MAX : fill->asked_us + result->lives_us;
    buf_clear(&page->body);
    buf_append(&page->body, result->body, result->body_length);
    buf_clear(&page->next_key);
    buf_text(&page->next_key, result->next_key != NULL ? result->next_key : "");
    buf_clear(&page->seen);
    buf_text(&page->seen, result->seen);
    etag_make(page->etag, result->body, result->body_length);
}

static bool is_newer(const struct fill *fill, const struct page *page)
{
    return fill->version.generation >= page->version.generation &&
           fill->version.changes >= page->version.changes;
}

static void fill_done(void *context, const struct result *result)
{
    struct fill *fill = context;
    struct page *page = fill->page;
    int64_t now_us = clock_us();
    struct result kept = *result;

    page->fills--;
    if (page->fill == fill) {
        page->fill = NULL;
    }
    if (result->status == STATUS_OK && result->body != NULL) {
        struct snapshot snapshot;

        /* One that was asked for earlier may come later; and a standby, which says nothing of what it
         * has seen, may not have yet what others have shown. */
        if (snapshot_read(&snapshot, result->seen) && (!page->is_filled || is_newer(fill, page))) {
            keep(page, fill, result, &snapshot);
            kept.etag = page->etag;
        }
    } else if (may_be_stale(fill->feed, page, result, now_us)) {
        kept = result_of(page);
        kept.stale_s = (int)((now_us - page->fresh_us) / 1000000) + 1;
        kept.microseconds = result->microseconds;
        memcpy(kept.sqlstate, result->sqlstate, sizeof kept.sqlstate);
    }
    for (const struct waiter *waiter = fill->waiters; waiter != NULL; waiter = waiter->next) {
        waiter->done(waiter->context, &kept);
    }
    fill_free(fill);
}

/* Whether a query begun now could see nothing that this one may miss. */
static bool is_as_good_as_new(const struct feed *feed, const struct fill *fill, int64_t now_us)
{
    const bool is_bounded = is_watched(feed, now_us) || is_recent(feed, fill->asked_us, now_us);
    const struct version now = version_now(feed);

    return is_bounded && is_same(&fill->version, &now);
}

static void wait_for(struct fill *fill, statement_done *done, void *context)
{
    struct waiter *waiter = memory_zeroed(sizeof *waiter);

    *waiter = (struct waiter){.done = done, .context = context, .next = fill->waiters};
    fill->waiters = waiter;
}

static struct fill *fill_new(struct feed *feed, struct page *page)
{
    struct fill *fill = memory_zeroed(sizeof *fill);

    *fill = (struct fill){.feed = feed,
                          .page = page,
                          .statement = statement_of(STATEMENT_ACTIVITIES_HOME),
                          .version = version_now(feed),
                          .asked_us = clock_us(),
                          .next = feed->fills,
                          .link = &feed->fills};
    if (fill->next != NULL) {
        fill->next->link = &fill->next;
    }
    feed->fills = fill;
    statement_bind(&fill->statement, "limit", page->limit);
    statement_bind(&fill->statement, "week4", feed->settings->wants_week4 ? "true" : "false");
    page->fill = fill;
    page->fills++;
    return fill;
}

void feed_submit(struct feed *feed, const struct statement *statement, statement_done *done,
                 void *context)
{
    struct page *page = page_of(feed, statement_value(statement, "limit"));
    int64_t now_us = clock_us();

    feed_mark_wanted(feed->settings->mark, now_us);
    if (page == NULL) {
        counter_add(&feed->settings->counts->asked, 1);
        feed->reads->submit(feed->reads->context, statement, done, context);
        return;
    }
    page->used_us = now_us;
    if (is_current(feed, page, now_us)) {
        struct result result = result_of(page);

        counter_add(&feed->settings->counts->kept, 1);
        done(context, &result);
    } else if (page->fill != NULL && is_as_good_as_new(feed, page->fill, now_us)) {
        counter_add(&feed->settings->counts->shared, 1);
        wait_for(page->fill, done, context);
    } else {
        struct fill *fill = fill_new(feed, page);

        counter_add(&feed->settings->counts->asked, 1);
        wait_for(fill, done, context);
        feed->reads->submit(feed->reads->context, &fill->statement, fill_done, fill);
    }
}
