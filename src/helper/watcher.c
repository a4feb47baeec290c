/* A poll asks for pg_current_snapshot(), which changes with every transaction that wrote, and for
 * the server's clock. A changed snapshot is published in the mark before the time of the poll, so
 * that a worker that sees the time has the change too.
 *
 * A failed poll publishes nothing. The time of the last successful one grows old then, and after
 * CACHE_POLLS_MISSED intervals no cached page is fresh any more: a watcher that hangs, or has lost
 * its session, cannot leave old pages in use. */
#include "helper/watcher.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/status.h"
#include "config/config.h"
#include "db/catalog.h"
#include "db/connection.h"
#include "db/statement.h"
#include "home/mark.h"
#include "home/snapshot.h"
#include "shared/scoreboard.h"

enum { CLOCK_TOLERANCE_US = 20000 };

/* One poll, and what the polls before it saw. */
struct poll {
    struct mark *mark;
    int64_t began_us;
    /* By how much the server's clock is ahead of clock_us(), at least and at most. */
    bool is_clock_known;
    int64_t least_ahead_us, most_ahead_us;
    struct buf snapshot; /* of the last successful poll, as text */
};

/* Whether the server's clock was set since the last poll. The time at which a cached page expires
 * was computed by the old clock. */
static bool has_clock_moved(struct poll *poll, int64_t now_us, int64_t said_us)
{
    int64_t least_us = said_us - now_us, most_us = said_us - poll->began_us;
    bool has_moved = poll->is_clock_known && (least_us > poll->most_ahead_us + CLOCK_TOLERANCE_US ||
                                              most_us < poll->least_ahead_us - CLOCK_TOLERANCE_US);

    if (poll->is_clock_known && !has_moved) {
        least_us = poll->least_ahead_us > least_us ? poll->least_ahead_us : least_us;
        most_us = poll->most_ahead_us < most_us ? poll->most_ahead_us : most_us;
    }
    poll->is_clock_known = true;
    poll->least_ahead_us = least_us;
    poll->most_ahead_us = most_us;
    return has_moved;
}

static void take_snapshot(void *context, const struct result *result)
{
    struct poll *poll = context;
    struct snapshot latest;

    if (result->status != STATUS_OK || !snapshot_read(&latest, result->seen)) {
        return; /* workers notice this by the time of the last poll */
    }
    if (has_clock_moved(poll, clock_us(), result->clock_us)) {
        mark_add_write(poll->mark);
    }
    if (poll->snapshot.length == 0 || strcmp(poll->snapshot.bytes, result->seen) != 0) {
        buf_clear(&poll->snapshot);
        buf_text(&poll->snapshot, result->seen);
        mark_publish(poll->mark, &latest);
    }
    mark_set_polled(poll->mark, poll->began_us);
}

static void sleep_until(int64_t end_us)
{
    struct timespec end = {.tv_sec = end_us / 1000000, .tv_nsec = end_us % 1000000 * 1000};

    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL);
}

/* The time between two polls while only streams need them, in ms. */
static int stream_pace(const struct config *config)
{
    return config->feed_watch > WATCHER_STREAM_MS ? config->feed_watch : WATCHER_STREAM_MS;
}

static void watch(void *context)
{
    const struct watcher *watcher = context;
    struct connection_settings settings = config_connection(watcher->config, "cruddurd watcher");
    struct statement statement = statement_of(&STATEMENT_SESSION_SNAPSHOT);
    struct poll poll = {.mark = watcher->mark};

    /* The watcher serves no request: it needs neither the listening socket nor the hook's
     * secret. */
    close_range(STDERR_FILENO + 1, ~0U, 0);
    settings.session.lanes = LANE_SET(LANE_WATCH);
    settings.session.counts = &watcher->scoreboard->watcher;
    settings.session.timelines = &watcher->scoreboard->timelines;
    struct connection *connection = connection_new(&settings, watcher->catalog, -1, NULL);
    for (;;) {
        if (mark_is_idle(watcher->mark)) {
            mark_rest(watcher->mark);
        }
        poll.began_us = clock_us();
        connection_submit(connection, &statement, take_snapshot, &poll);
        connection_finish(connection);
        if (mark_is_requested(watcher->mark)) {
            sleep_until(poll.began_us + watcher->config->feed_watch * INT64_C(1000));
        } else {
            mark_pause(watcher->mark, stream_pace(watcher->config));
        }
    }
}

bool watcher_prepare(struct watcher *watcher, struct scoreboard *scoreboard)
{
    watcher->scoreboard = scoreboard;
    watcher->mark = mark_new();
    return watcher->mark != NULL;
}

bool watcher_is_wanted(const struct config *config)
{
    return config->feed_watch > 0;
}

void watcher_ensure(struct watcher *watcher, const struct config *config,
                    const struct catalog *catalog)
{
    if (watcher_is_wanted(config)) {
        watcher->config = config;
        watcher->catalog = catalog;
        helper_ensure(&watcher->helper, "cruddur-watch", watch, watcher);
    }
}
