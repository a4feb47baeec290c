/* The server's answers: units that were committed, and errors with their remedies
 * (db/sqlstate.h). */
#include <string.h>

#include "base/clock.h"
#include "db/connection_private.h"
#include "db/session.h"
#include "db/sqlstate.h"

enum {
    /* How often a statement is run again after an attempt that was within its deadline by this
     * process's clock and too late by the server's. The server's clock was set in between; the
     * next attempt uses its new time. */
    LATE_REPEATS_MAX = 3
};

/* The lost session's backend may still run the writes that it was sent. Only one of two runs could
 * be answered, so such a write fails and is not sent again. Creates (may_share) are sent again: the
 * row that they make is the same whichever run is the later. */
static void fail_what_may_run(struct connection *connection)
{
    struct pending_list queued = connection->queue;
    struct pending *pending;

    connection->queue = (struct pending_list){0};
    while ((pending = pending_take(&queued)) != NULL) {
        if (pending->may_be_done && !pending->statement->def->may_share) {
            connection_give_up(connection, pending);
        } else {
            pending_append(&connection->queue, pending);
        }
    }
}

static void introduced(struct connection *connection)
{
    struct introduction *introduction = &connection->introduction;

    introduction_take_clock(introduction, &introduction->pending);
    if (!introduction_end(introduction, connection->settings->session.prepares)) {
        fail_what_may_run(connection);
    }
    pipeline_forget(&introduction->pending);
}

/* By the server's clock, the attempt was run after its not_after, so it did nothing. */
static bool was_late(const struct result *result)
{
    return result->outcome != NULL && strcmp(result->outcome, "late") == 0;
}

/* Another attempt has a new not_after, by the time of the server's clock in this answer. */
static void statement_was_late(struct connection *connection, struct pending *pending)
{
    if (pending->late_repeats++ < LATE_REPEATS_MAX &&
        connection_deadline_us(connection, pending) > clock_us()) {
        connection_put_back(connection, pending);
    } else {
        connection_give_up(connection, pending);
    }
}

/* The unit was committed. is_in_doubt: the commit may not have reached the synchronous standby. */
static void unit_done(struct connection *connection, struct pending_list *unit, bool is_in_doubt)
{
    struct pending *pending;

    while ((pending = pending_take(unit)) != NULL) {
        bool is_write = pending_expires(pending);
        struct result result;

        if (pending == &connection->introduction.pending) {
            introduced(connection);
            continue;
        }
        connection->link.served_any = true;
        if (is_write) {
            introduction_take_clock(&connection->introduction, pending);
        }
        pipeline_result(connection->link.session, pending, &result);
        if (is_in_doubt) {
            result.status = STATUS_DATABASE_UNAVAILABLE; /* the write may be lost in a failover */
        } else if (is_write && was_late(&result)) {
            statement_was_late(connection, pending);
            continue;
        }
        connection_complete(connection, pending, &result);
    }
}

/* The error says nothing about an earlier attempt, whose session was lost and which may have been
 * committed. */
static void complete_failed(struct connection *connection, struct pending *pending,
                            struct result *result)
{
    if (pending->may_be_done) {
        connection_give_up(connection, pending);
    } else {
        connection_complete(connection, pending, result);
    }
}

/* Handles the error of a statement that was alone in its unit, or that ran into its time limit.
 * The statement is sent again if that can help, up to a limit, or is done with the error. */
static void statement_failed(struct connection *connection, struct pending *pending)
{
    struct result result;

    pipeline_result(connection->link.session, pending, &result);
    switch (pipeline_is_outdated(pending) ? REMEDY_RECONNECT
                                          : sqlstate_verdict(result.sqlstate).remedy) {
    case REMEDY_AGAIN:
        if (pending->repeats++ < CONNECTION_REPEATS_MAX) {
            connection_put_back(connection, pending);
            return;
        }
        break;
    case REMEDY_RECONNECT:
        connection_drop_session(connection, true);
        if (pending->losses++ < CONNECTION_RESENDS_MAX) {
            connection_put_back(connection, pending);
            return;
        }
        result.status = STATUS_DATABASE_UNAVAILABLE;
        break;
    case REMEDY_NONE:
        break;
    }
    complete_failed(connection, pending, &result);
}

static struct pending *first_write(const struct connection *connection)
{
    struct pending *pending = connection->queue.first;

    while (pending != NULL && !pending_expires(pending)) {
        pending = pending->next;
    }
    return pending;
}

/* The write that waits for the introduction gets the same error, or waits for the next attempt. */
static void introduction_failed(struct connection *connection)
{
    struct introduction *introduction = &connection->introduction;
    struct pending *write = first_write(connection);
    struct result result;

    pipeline_result(connection->link.session, &introduction->pending, &result);
    introduction->is_under_way = false;
    switch (sqlstate_verdict(result.sqlstate).remedy) {
    case REMEDY_AGAIN:
        break;
    case REMEDY_RECONNECT:
        connection_drop_session(connection, true);
        break;
    case REMEDY_NONE:
        if (write != NULL) {
            pending_remove(&connection->queue, write);
            complete_failed(connection, write, &result);
        }
        break;
    }
    pipeline_forget(&introduction->pending);
}

/* The whole unit was rolled back. If it had several statements, each gets a unit of its own,
 * because the others need not fail, too. A statement that ran into its time limit is not sent
 * again: there is no time for another attempt. */
static void unit_failed(struct connection *connection, struct pending_list *unit)
{
    bool is_shared = unit->count > 1;
    struct pending *pending;

    while ((pending = pending_take(unit)) != NULL) {
        if (pending == &connection->introduction.pending) {
            introduction_failed(connection);
        } else if (!is_shared || pipeline_timed_out(pending)) {
            statement_failed(connection, pending);
        } else {
            pending->runs_alone = true;
            connection_put_back(connection, pending);
        }
    }
}

void connection_take_results(struct connection *connection)
{
    bool is_alive = session_receive(connection->link.session);

    /* Answers that came before a loss still count. */
    while (connection->link.is_ready) {
        struct pending_list unit = {0};

        switch (pipeline_next(&connection->pipeline, connection->link.session, &unit)) {
        case UNIT_DONE:
            unit_done(connection, &unit, session_take_doubt(connection->link.session));
            continue;
        case UNIT_FAILED:
            session_take_doubt(connection->link.session);
            unit_failed(connection, &unit);
            continue;
        case UNIT_NONE:
            if (is_alive) {
                return;
            }
            break;
        case UNIT_LOST:
            break;
        }
        connection_lose_session(connection);
    }
}
