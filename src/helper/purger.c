/* The purge is one statement, run again and again. It holds an advisory lock for its transaction,
 * so of all purgers of a database one does a step and the others get `busy`. The result says how
 * much the step did, and when there is more to do, as far as can be foreseen. */
#include "helper/purger.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/status.h"
#include "config/config.h"
#include "db/catalog.h"
#include "db/connection.h"
#include "db/statement.h"
#include "home/mark.h"
#include "shared/scoreboard.h"

/* The result of the steps so far. */
struct progress {
    int64_t done;    /* by the last step */
    int64_t next_ms; /* after that step, until there is more to do; 0: not known */
    int busy;        /* attempts in a row that found another purge at work */
    bool is_logged;  /* that another purge is at work */
    int64_t logged_ms;
};

/* A process that holds the lock for ever stops all purging, so this is logged. */
static void note_busy(struct progress *progress, const char *pid)
{
    int64_t now_ms = clock_ms();

    progress->busy++;
    if (progress->busy >= PURGER_BUSY_MAX &&
        (!progress->is_logged || now_ms - progress->logged_ms >= PURGER_LOG_MS)) {
        log_message(LOG_WARNING, "purge",
                    "nothing is purged: the server's process %s holds the purge's lock", pid);
        progress->is_logged = true;
        progress->logged_ms = now_ms;
    }
}

static void take_step(void *context, const struct result *result)
{
    struct progress *progress = context;

    progress->done = 0;
    progress->next_ms = 0;
    if (result->status != STATUS_OK || result->outcome == NULL || result->body == NULL) {
        return; /* the connection has logged why */
    }
    if (strcmp(result->outcome, "busy") == 0) {
        note_busy(progress, result->body);
    } else {
        progress->busy = 0;
        progress->is_logged = false;
        progress->done = strtoll(result->body, NULL, 10);
        progress->next_ms = result->lives_us < 0 ? PURGER_REST_MS : result->lives_us / 1000 + 1;
    }
}

/* Sleeps until next_ms is over, the pool has written something, or PURGER_REST_MS are over, but for
 * one interval at least. */
static void rest(const struct purger *purger, int64_t next_ms, uint64_t writes)
{
    int interval_ms = purger->config->purge_interval * 1000;
    int64_t end_ms = clock_ms() + (next_ms < PURGER_REST_MS ? next_ms : PURGER_REST_MS);
    int pause_ms = interval_ms;

    do {
        poll(NULL, 0, pause_ms);
        int left_ms = clock_left_ms(end_ms);
        pause_ms = left_ms < interval_ms ? left_ms : interval_ms;
    } while (pause_ms > 0 && atomic_load(&purger->mark->writes) == writes);
}

/* Pauses after a step that began at began_ms. */
static void pause_after(int64_t began_ms)
{
    int64_t pause_ms = (clock_ms() - began_ms) * PURGER_PAUSES;

    if (pause_ms < PURGER_PAUSE_MS) {
        pause_ms = PURGER_PAUSE_MS;
    } else if (pause_ms > PURGER_REST_MS) {
        pause_ms = PURGER_REST_MS;
    }
    poll(NULL, 0, (int)pause_ms);
}

static void purge(void *context)
{
    const struct purger *purger = context;
    struct connection_settings settings = config_connection(purger->config, "cruddurd purger");
    struct statement statement = statement_of(&STATEMENT_METRICS_STEP);
    struct progress progress = {0};

    /* The purger serves no request: it needs neither the listening socket nor the hook's secret. */
    close_range(STDERR_FILENO + 1, ~0U, 0);
    settings.session.lanes = LANE_SET(LANE_PURGE);
    settings.session.counts = &purger->scoreboard->purger;
    settings.session.timelines = &purger->scoreboard->timelines;
    struct connection *connection = connection_new(&settings, purger->catalog, -1, NULL);
    for (;;) {
        uint64_t writes = atomic_load(&purger->mark->writes);
        int64_t began_ms = clock_ms();

        connection_submit(connection, &statement, take_step, &progress);
        connection_finish(connection);
        if (progress.done > 0) {
            pause_after(began_ms);
        } else {
            rest(purger, progress.next_ms, writes);
        }
    }
}

bool purger_is_wanted(const struct config *config)
{
    return config->purge_interval > 0;
}

void purger_ensure(struct purger *purger, const struct config *config,
                   const struct catalog *catalog)
{
    if (purger_is_wanted(config)) {
        purger->config = config;
        purger->catalog = catalog;
        helper_ensure(&purger->helper, "cruddur-purge", purge, purger);
    }
}
