#include "daemon/watcher.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/clock.h"

struct look {
    struct feed_mark *mark;
    int64_t began_us;
    struct buf session, snapshot; /* those of the last one */
};

/* Whether the text is another one than the last time. */
static bool has_changed(struct buf *last, const char *text)
{
    if (last->length > 0 && strcmp(last->bytes, text) == 0) {
        return false;
    }
    buf_clear(last);
    buf_text(last, text);
    return true;
}

static void take_snapshot(void *context, const struct result *result)
{
    struct look *look = context;

    if (result->status != STATUS_OK || result->body == NULL || result->snapshot == NULL ||
        result->is_of_standby) {
        /* Blind, as on a standby, which is behind. The workers see that from the time of the last
         * look. */
        return;
    }
    bool is_new_session = has_changed(&look->session, result->body);
    if (has_changed(&look->snapshot, result->snapshot)) {
        struct snapshot latest = {0};

        /* What was seen before a crash says nothing of what is there after it. */
        if (!snapshot_read(&latest, result->snapshot) || is_new_session) {
            latest.xmax = UINT64_MAX;
        }
        feed_mark_changed(look->mark, &latest);
    }
    atomic_store(&look->mark->looked_us, look->began_us);
}

static void sleep_until(int64_t end_us)
{
    struct timespec end = {.tv_sec = end_us / 1000000, .tv_nsec = end_us % 1000000 * 1000};

    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL);
}

static void run(void *context)
{
    const struct watcher *watcher = context;
    struct connection_settings settings = config_connection(watcher->config, "cruddurd watcher");
    struct statement statement = statement_of(STATEMENT_SESSION_SNAPSHOT);
    struct look look = {.mark = watcher->mark};

    settings.session.lanes = LANE_WATCH;
    settings.session.counts = watcher->counts;
    struct connection *connection = connection_new(&settings, watcher->catalog, -1);
    for (;;) {
        look.began_us = clock_us();
        connection_submit(connection, &statement, take_snapshot, &look);
        connection_finish(connection);
        sleep_until(look.began_us + watcher->config->feed_watch * INT64_C(1000));
    }
}

bool watcher_prepare(struct watcher *watcher, struct session_counts *counts)
{
    watcher->counts = counts;
    watcher->mark = feed_mark_new();
    return watcher->mark != NULL;
}

bool watcher_is_wanted(const struct config *config)
{
    return config->feed_watch > 0;
}

void watcher_keep(struct watcher *watcher, const struct config *config,
                  const struct catalog *catalog)
{
    if (watcher_is_wanted(config)) {
        watcher->config = config;
        watcher->catalog = catalog;
        helper_keep(&watcher->helper, "cruddur-watch", run, watcher);
    }
}
