#include "daemon/watcher.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/clock.h"

struct look {
    struct feed_mark *mark;
    int64_t began_us;
    struct buf snapshot; /* that of the last one */
};

static void take_snapshot(void *context, const struct result *result)
{
    struct look *look = context;
    struct snapshot latest;

    if (result->status != STATUS_OK || !snapshot_read(&latest, result->snapshot)) {
        return; /* blind; the workers see that from the time of the last look */
    }
    if (look->snapshot.length == 0 || strcmp(look->snapshot.bytes, result->snapshot) != 0) {
        buf_clear(&look->snapshot);
        buf_text(&look->snapshot, result->snapshot);
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
