/* Which queued statements are sent, when, and which of them share a unit. */
#include <stdio.h>

#include "base/clock.h"
#include "db/connection_private.h"
#include "db/server_clock.h"
#include "db/session.h"

/* A statement that takes further locks runs alone, because two units that take the same locks in
 * different orders would deadlock. So does each statement of a unit that failed, to find out which
 * one met the error. */
static bool may_share(const struct pending *pending)
{
    return pending->statement->def->may_share && !pending->statement->takes_locks &&
           !pending->runs_alone;
}

/* The statements to be sent next. */
static void next_unit(struct connection *connection, struct pending_list *unit)
{
    bool shares = may_share(connection->queue.first);

    do {
        pending_append(unit, pending_take(&connection->queue));
    } while (shares && unit->count < CONNECTION_BATCH_MAX && connection->queue.first != NULL &&
             may_share(connection->queue.first));
}

/* Whether a queued statement was sent on an earlier session. Only such a statement can meet a
 * first run of itself that has not ended. */
static bool was_sent_before(const struct connection *connection)
{
    const struct pending *pending = connection->queue.first;

    while (pending != NULL && pending->sent_us == 0) {
        pending = pending->next;
    }
    return pending != NULL;
}

/* Sets not_after of each statement to its deadline, so that the server does nothing for an attempt
 * that this process has given up. */
static void set_not_after(const struct connection *connection, struct pending_list *unit)
{
    for (struct pending *pending = unit->first; pending != NULL; pending = pending->next) {
        int64_t at_us = server_clock_at_least(&connection->introduction.clock,
                                              connection_deadline_us(connection, pending));

        snprintf(pending->not_after, sizeof pending->not_after, "%lld", (long long)at_us);
    }
}

/* A write needs a recent introduction first; reads do not wait for it. */
void connection_send_queue(struct connection *connection)
{
    bool is_alive = true;

    while (is_alive && connection->pipeline.units < connection->settings->units_max &&
           connection_next_in_time(connection) != NULL) {
        struct pending_list unit = {0};

        if (!pending_expires(connection->queue.first)) {
            next_unit(connection, &unit);
        } else if (connection->introduction.is_under_way) {
            break;
        } else if (introduction_is_needed(&connection->introduction, clock_us())) {
            introduction_begin(&connection->introduction, connection->catalog, &unit,
                               connection->queue.first->asked_us, was_sent_before(connection));
        } else {
            next_unit(connection, &unit);
            set_not_after(connection, &unit);
        }
        is_alive = pipeline_send(&connection->pipeline, connection->link.session, &unit);
    }
    if (!is_alive || !session_flush(connection->link.session)) {
        connection_lose_session(connection);
    }
}
