/* What a worker does with its session, from a submitted statement to its result. A statement is
 * in one of these states, by the list that it is on:
 *
 *     queued  on connection->queue, in the order of submission; it has a deadline
 *     sent    on pipeline.sent, behind a Sync of its own or of its unit
 *     done    its callback was called, once, and it was freed
 *
 * From sent it goes back to queued if the session is lost, if the server was too late for it, or
 * if a statement of its unit failed; each of these has a limit, so every statement is done in the
 * end. Nothing is done before the Sync of its unit was answered, as a commit can fail after its
 * statements succeeded.
 *
 * Writes are sent again after a loss, and that is safe for three reasons. A statement can be
 * repeated: what it creates has its UUID already. The old backend may still run: the introduction
 * waits for its end before the first write of the new session. And a write does nothing after its
 * parameter not_after, a time of the server's clock, so an attempt that was given up cannot take
 * effect later.
 *
 * The session belongs to the link: after a call that may have lost it, link.is_ready says so. */
#include "db/connection.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "db/catalog.h"
#include "db/introduction.h"
#include "db/link.h"
#include "db/server_clock.h"
#include "db/sqlstate.h"

enum {
    /* Of a statement whose attempt was within its deadline by this process's clock and too late
     * by the server's, which so was set: the next one goes by the new time. */
    LATE_REPEATS_MAX = 3
};

struct connection {
    const struct connection_settings *settings;
    const struct catalog *catalog;
    struct pending_list queue; /* to be sent, in the order in which they came */
    struct pipeline pipeline;  /* what was sent on the link's session */
    bool is_wanted;            /* a session, though nothing is queued */
    struct link link;
    struct introduction introduction;
};

struct connection *connection_new(const struct connection_settings *settings,
                                  const struct catalog *catalog, int epoll_fd, void *event_data)
{
    struct connection *connection = memory_zeroed(sizeof *connection);

    connection->settings = settings;
    connection->catalog = catalog;
    introduction_init(&connection->introduction);
    link_init(&connection->link, &settings->session, settings->deadline_ms, catalog, epoll_fd,
              event_data);
    return connection;
}

void connection_free(struct connection *connection)
{
    struct pending *pending;

    if (connection == NULL) {
        return;
    }
    introduction_withdraw(&connection->introduction, &connection->pipeline.sent);
    pipeline_abandon(&connection->pipeline, &connection->queue);
    while ((pending = pending_take(&connection->queue)) != NULL) {
        memory_free(pending);
    }
    link_release(&connection->link);
    memory_free(connection);
}

/* --- results --- */

static void log_statement(const struct connection *connection, const struct statement *statement,
                          const struct result *result)
{
    const char *const *names = statement->def->parameters;

    if (!log_wants(LOG_DEBUG) || statement->def == &STATEMENT_SESSION_SNAPSHOT /* too many */) {
        return;
    }
    struct log_line line = log_begin(LOG_DEBUG, "statement");
    log_string(&line, "template", statement->def->name);
    log_string(&line, "outcome", result->outcome);
    log_integer(&line, "rows", result->outcome != NULL);
    log_integer(&line, "bytes", (int64_t)result->body_length);
    log_milliseconds(&line, "ms", result->microseconds);
    log_string(&line, "sqlstate", result->sqlstate[0] != '\0' ? result->sqlstate : NULL);
    for (size_t i = 0; connection->settings->logs_values && names[i] != NULL; i++) {
        log_string(&line, names[i], statement->values[i]);
    }
    log_end(&line);
}

/* Hands the result over. The statement is on no list any more. */
static void complete(struct connection *connection, struct pending *pending, struct result *result)
{
    result->microseconds = clock_us() - pending->submitted_us;
    log_statement(connection, pending->statement, result);
    pending->done(pending->context, result);
    pipeline_forget(pending);
    memory_free(pending);
}

/* Without a result of the server. */
static void complete_without(struct connection *connection, struct pending *pending,
                             enum status status)
{
    struct result result = {.status = status};

    complete(connection, pending, &result);
}

/* What is queued fails. What its callbacks submit is not meant. */
static void fail_queue(struct connection *connection)
{
    struct pending_list failing = connection->queue;
    struct pending *pending;

    connection->queue = (struct pending_list){0};
    while ((pending = pending_take(&failing)) != NULL) {
        complete_without(connection, pending, STATUS_DATABASE_UNAVAILABLE);
    }
}

/* To its place by the time of its submission, so that a retry does not go behind later
 * statements. */
static void put_back(struct connection *connection, struct pending *pending)
{
    struct pending_list one = {0};

    pipeline_forget(pending);
    pending_append(&one, pending);
    pending_put_back(&connection->queue, &one);
}

/* --- the session --- */

/* True for writes: they have a parameter not_after. */
static bool expires(const struct pending *pending)
{
    return pending->prepared->expires;
}

/* The backend of a session that ends may still run the writes that it was sent. */
static void note_loss(struct connection *connection)
{
    const struct pending *pending = connection->pipeline.sent.first;

    while (pending != NULL && !expires(pending)) {
        pending = pending->next;
    }
    if (pending != NULL) {
        session_abandon(connection->link.session);
    }
    introduction_note_loss(&connection->introduction, pending != NULL);
}

/* What was sent is to be sent again. Whatever the old session answers later must not be taken
 * for an answer to something else. */
static void drop_session(struct connection *connection, bool is_suspect)
{
    introduction_withdraw(&connection->introduction, &connection->pipeline.sent);
    note_loss(connection);
    if (is_suspect) {
        link_drop_and_wait(&connection->link);
    } else {
        link_drop(&connection->link);
    }
    pipeline_abandon(&connection->pipeline, &connection->queue);
}

/* In a known outage no statement waits for one more attempt. */
static void note_failed_attempt(struct connection *connection)
{
    connection->is_wanted = false;
    if (link_is_away(&connection->link)) {
        fail_queue(connection);
    }
}

/* The first unit that was sent is the one that the server ran when the session was lost; a
 * statement of it may be what crashes the server. Of several statements each gets a unit of its
 * own for the next session, as it is not known which one it was. A single one counts the loss. */
static void note_crash_suspects(struct pending *running)
{
    if (running->ends_unit) {
        running->losses++;
        return;
    }
    for (struct pending *pending = running; pending != NULL; pending = pending->next) {
        pending->runs_alone = true;
        if (pending->ends_unit) {
            break;
        }
    }
}

/* The session broke, and libpq or the server has said so. */
static void lose_session(struct connection *connection)
{
    struct pending *running = connection->pipeline.sent.first;
    const char *why = session_error(connection->link.session);

    log_message(running != NULL ? LOG_WARNING : LOG_INFO, "database", "%s: session lost: %.*s",
                running != NULL ? running->statement->def->name : "idle", (int)strcspn(why, "\n"),
                why);
    bool is_statement = running != NULL && running != &connection->introduction.pending;
    if (is_statement) {
        note_crash_suspects(running);
    }
    bool is_given_up = is_statement && running->losses > CONNECTION_RESENDS_MAX;
    drop_session(connection, true);
    if (is_given_up) {
        pending_remove(&connection->queue, running);
        complete_without(connection, running, STATUS_DATABASE_UNAVAILABLE);
    }
}

/* --- what comes back --- */

static int64_t deadline_of(const struct connection *connection, const struct pending *pending)
{
    return pending->asked_us + connection->settings->deadline_ms * INT64_C(1000);
}

/* What may still be run by a session that is not gone for certain isn't sent again: not both
 * could be told of. Creates are, as the one row that they make is the same whichever attempt is
 * the later. */
static void fail_what_may_run(struct connection *connection)
{
    struct pending_list queued = connection->queue;
    struct pending *pending;

    connection->queue = (struct pending_list){0};
    while ((pending = pending_take(&queued)) != NULL) {
        if (pending->sent_us != 0 && !pending->statement->def->may_share) {
            complete_without(connection, pending, STATUS_DATABASE_TIMEOUT);
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

/* The server took the attempt for one that was given up. */
static bool was_late(const struct result *result)
{
    return result->outcome != NULL && strcmp(result->outcome, "late") == 0;
}

/* Another attempt has a new not_after, by the clock that this answer brought. */
static void statement_was_late(struct connection *connection, struct pending *pending)
{
    if (pending->late_repeats++ < LATE_REPEATS_MAX &&
        deadline_of(connection, pending) > clock_us()) {
        put_back(connection, pending);
    } else {
        complete_without(connection, pending, STATUS_DATABASE_TIMEOUT);
    }
}

/* The unit was committed. is_in_doubt: it may not have reached the synchronous standby. */
static void unit_done(struct connection *connection, struct pending_list *unit, bool is_in_doubt)
{
    struct pending *pending;

    while ((pending = pending_take(unit)) != NULL) {
        bool is_write = expires(pending);
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
            result.status = STATUS_DATABASE_UNAVAILABLE; /* not acknowledged */
        } else if (is_write && was_late(&result)) {
            statement_was_late(connection, pending);
            continue;
        }
        complete(connection, pending, &result);
    }
}

/* One statement's error: there is a remedy, or it is the answer. */
static void statement_failed(struct connection *connection, struct pending *pending)
{
    struct result result;

    pipeline_result(connection->link.session, pending, &result);
    switch (sqlstate_verdict(result.sqlstate).remedy) {
    case REMEDY_AGAIN:
        if (pending->repeats++ < CONNECTION_REPEATS_MAX) {
            put_back(connection, pending);
            return;
        }
        break;
    case REMEDY_RECONNECT:
        drop_session(connection, true);
        if (pending->losses++ < CONNECTION_RESENDS_MAX) {
            put_back(connection, pending);
            return;
        }
        result.status = STATUS_DATABASE_UNAVAILABLE;
        break;
    case REMEDY_NONE:
        break;
    }
    complete(connection, pending, &result);
}

/* The write that it was asked for has the same answer, or waits for the next attempt. */
static void introduction_failed(struct connection *connection)
{
    struct introduction *introduction = &connection->introduction;
    struct result result;

    pipeline_result(connection->link.session, &introduction->pending, &result);
    introduction->is_under_way = false;
    switch (sqlstate_verdict(result.sqlstate).remedy) {
    case REMEDY_AGAIN:
        break;
    case REMEDY_RECONNECT:
        drop_session(connection, true);
        break;
    case REMEDY_NONE:
        if (connection->queue.first != NULL) {
            complete(connection, pending_take(&connection->queue), &result);
        }
        break;
    }
    pipeline_forget(&introduction->pending);
}

/* All of the unit was rolled back. Of several each gets a unit of its own, as it isn't said that
 * the others would fail too; but not the one that took so long that for another try there is no
 * time. */
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
            put_back(connection, pending);
        }
    }
}

/* Takes all complete units. A callback may submit statements, which are only queued here. */
static void take_results(struct connection *connection)
{
    bool is_alive = session_receive(connection->link.session);

    /* What came before a loss still counts. */
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
        lose_session(connection);
    }
}

/* --- what goes out --- */

/* Alone run statements that take further locks, and those of a unit that failed: to find out
 * which one it was, and because two units in the order of their locks could deadlock. */
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

/* Only a statement that is sent again can meet its own first run. */
static bool was_sent_before(const struct connection *connection)
{
    const struct pending *pending = connection->queue.first;

    while (pending != NULL && pending->sent_us == 0) {
        pending = pending->next;
    }
    return pending != NULL;
}

/* An attempt counts for nothing once this process has given it up. */
static void set_not_after(const struct connection *connection, struct pending_list *unit)
{
    for (struct pending *pending = unit->first; pending != NULL; pending = pending->next) {
        int64_t at_us = server_clock_at_least(&connection->introduction.clock,
                                              deadline_of(connection, pending));

        snprintf(pending->not_after, sizeof pending->not_after, "%lld", (long long)at_us);
    }
}

/* What is to be sent next, or NULL. The statements before it fail, as their deadlines have
 * passed. A statement behind it can have an earlier deadline, by as much as it has waited for
 * its turn (worker/turns.h); it fails when it comes to be the first. */
static const struct pending *next_in_time(struct connection *connection)
{
    int64_t now_us = clock_us();

    while (connection->queue.first != NULL &&
           deadline_of(connection, connection->queue.first) <= now_us) {
        complete_without(connection, pending_take(&connection->queue), STATUS_DATABASE_UNAVAILABLE);
    }
    return connection->queue.first;
}

/* Sends units up to the limit. A write needs a recent introduction first; reads do not wait for
 * it. */
static void send_queue(struct connection *connection)
{
    bool is_alive = true;

    while (is_alive && connection->pipeline.units < connection->settings->units_max &&
           next_in_time(connection) != NULL) {
        struct pending_list unit = {0};

        if (!expires(connection->queue.first)) {
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
        lose_session(connection);
    }
}

/* --- deadlines --- */

/* The oldest of what was sent; that needn't be the first, as some are sent again. */
static struct pending *oldest_sent(const struct connection *connection)
{
    struct pending *oldest = connection->pipeline.sent.first;

    for (struct pending *pending = oldest; pending != NULL; pending = pending->next) {
        oldest = pending->asked_us < oldest->asked_us ? pending : oldest;
    }
    return oldest;
}

/* The server doesn't answer in time. The others may have better luck with another session. */
static void expire_sent(struct connection *connection, int64_t now_us)
{
    struct pending *late = oldest_sent(connection);

    if (late == NULL || deadline_of(connection, late) > now_us) {
        return;
    }
    log_message(LOG_WARNING, "database", "%s: session lost: no answer in time",
                late->statement->def->name);
    drop_session(connection, false);
    if (late == &connection->introduction.pending) {
        return; /* the write behind it has the same deadline */
    }
    pending_remove(&connection->queue, late);
    complete_without(connection, late, STATUS_DATABASE_TIMEOUT);
}

/* What has run out of time: an attempt to connect, a statement that was sent, statements in the
 * queue. */
static void expire(struct connection *connection)
{
    if (!link_expire(&connection->link)) {
        note_failed_attempt(connection);
    }
    expire_sent(connection, clock_us());
    next_in_time(connection);
}

/* --- what the worker calls --- */

/* The queue is bounded, and in a known outage it is short: what comes then fails at once, but for
 * a few statements that make the next attempt happen. */
static bool is_refused(const struct connection *connection)
{
    const struct link *link = &connection->link;

    if (link->is_ready || !link_is_away(link)) {
        return connection->queue.count >= CONNECTION_QUEUE_MAX;
    }
    return connection->queue.count >= CONNECTION_AWAY_MAX || link_is_pausing(link);
}

void connection_submit(struct connection *connection, const struct statement *statement,
                       statement_done *done, void *context)
{
    struct pending *pending = memory_zeroed(sizeof *pending);
    int64_t now_us = clock_us();

    *pending = (struct pending){.statement = statement,
                                .prepared = catalog_get(connection->catalog, statement->def),
                                .done = done,
                                .context = context,
                                .asked_us = statement->asked_us != 0 ? statement->asked_us : now_us,
                                .submitted_us = now_us};
    if (is_refused(connection)) {
        complete_without(connection, pending, STATUS_DATABASE_UNAVAILABLE);
    } else {
        pending_insert(&connection->queue, pending);
    }
}

bool connection_cancel(struct connection *connection, const void *context)
{
    for (struct pending *pending = connection->queue.first; pending != NULL;
         pending = pending->next) {
        if (pending->context == context) {
            pending_remove(&connection->queue, pending);
            memory_free(pending);
            return true;
        }
    }
    return false;
}

/* The socket of a session that connects is ready. */
static void advance_attempt(struct connection *connection)
{
    if (!link_go_on_connecting(&connection->link)) {
        note_failed_attempt(connection);
    } else if (connection->link.is_ready) {
        connection->is_wanted = false;
    }
}

bool connection_lacks_slot(const struct connection *connection)
{
    return !connection->link.is_ready && connection->link.lacks_slot;
}

bool connection_is_ready(const struct connection *connection)
{
    return connection->link.is_ready;
}

void connection_want(struct connection *connection)
{
    connection->is_wanted = true;
}

/* The pointers of the queue move; a statement keeps the time of its submission, and so its place
 * among those of the other connection. */
void connection_pass_on(struct connection *connection, struct connection *other)
{
    connection->is_wanted = connection->is_wanted || connection->queue.first != NULL;
    pending_put_back(&other->queue, &connection->queue);
}

void connection_proceed(struct connection *connection, bool is_ready)
{
    if (is_ready && connection->link.is_ready) {
        take_results(connection);
    } else if (is_ready && connection->link.session != NULL) {
        advance_attempt(connection);
    }
    expire(connection);
    if ((connection->queue.first != NULL || connection->is_wanted) &&
        !link_connect_if_due(&connection->link)) {
        note_failed_attempt(connection);
    }
    if (connection->link.is_ready) {
        send_queue(connection);
    }
    link_watch(&connection->link);
}

/* No statement is under way. A session may still be connecting. */
static bool is_idle(const struct connection *connection)
{
    return connection->queue.first == NULL && connection->pipeline.sent.first == NULL;
}

/* The earlier one of a moment and a statement's deadline. */
static int64_t sooner(int64_t first_us, const struct connection *connection,
                      const struct pending *pending)
{
    int64_t end_us = pending != NULL ? deadline_of(connection, pending) : INT64_MAX;

    return end_us < first_us ? end_us : first_us;
}

/* What ends a wait besides the socket: the next attempt or the end of the present one, and the
 * deadlines of the first queued statement and of the oldest that was sent. */
int connection_wait_ms(const struct connection *connection)
{
    bool is_connecting = connection->link.session != NULL && !connection->link.is_ready;

    if (is_idle(connection) && !is_connecting) {
        return -1;
    }
    int64_t first_us = link_next_us(&connection->link);
    first_us = sooner(first_us, connection, connection->queue.first);
    first_us = sooner(first_us, connection, oldest_sent(connection));
    int64_t left_us = first_us - clock_us();
    return left_us > 0 ? (int)((left_us + 999) / 1000) : 0;
}

/* For CGI, --check and a worker that leaves: there is no epoll loop, so this waits itself. */
void connection_finish(struct connection *connection)
{
    connection_proceed(connection, false);
    while (!is_idle(connection)) {
        int64_t until_us = clock_us() + connection_wait_ms(connection) * INT64_C(1000);
        bool is_ready = false;

        if (connection->link.session != NULL) {
            is_ready = session_wait(connection->link.session, until_us);
        } else {
            poll(NULL, 0, connection_wait_ms(connection));
        }
        connection_proceed(connection, is_ready);
    }
}

bool connection_fits(struct connection *connection, bool (*is_reached)(const void *context),
                     const void *context)
{
    return link_fits(&connection->link, is_reached, context);
}
