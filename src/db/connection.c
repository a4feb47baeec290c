/* What a worker does with its session, from a submitted statement to its result. A statement is in
 * one of these states, by the list that it is on:
 *
 *     queued  on connection->queue, in the order of submission; it has a deadline
 *     sent    on pipeline.sent, behind a Sync of its own or of its unit
 *     done    its callback was called, once, and it was freed
 *
 * A sent statement is queued again if the session is lost, if the server was too late for it, or
 * if a statement of its unit failed. Each of these has a limit, so every statement is done in the
 * end. No statement is done before the Sync of its unit was answered, because a commit can fail
 * after its statements succeeded.
 *
 * Writes are sent again after a loss. That is safe for three reasons. First, a statement can be
 * repeated, because it has the UUID of what it creates among its values. Second, the old backend
 * may still run, but the introduction waits for its end before the first write of the new session.
 * Third, a write does nothing after its parameter not_after, a time of the server's clock, so an
 * attempt that was given up cannot take effect later.
 *
 * The link owns the session. After a call that may have lost the session, link.is_ready says
 * whether there still is one. */
#include "db/connection.h"

#include <poll.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "db/catalog.h"
#include "db/connection_private.h"
#include "db/session.h"

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
    pending_put_back(&connection->queue, &connection->spent);
    while ((pending = pending_take(&connection->queue)) != NULL) {
        memory_free(pending);
    }
    link_release(&connection->link);
    memory_free(connection);
}

/* --- deadlines --- */

/* No statement waits for its result. A session may still be connecting. */
static bool is_idle(const struct connection *connection)
{
    return connection->queue.first == NULL && connection->pipeline.sent.first == NULL &&
           connection->spent.first == NULL;
}

/* The statement with the earliest deadline; NULL if the list is empty. It need not be the first of
 * the list, because some statements are sent again, and some have waited for their turn
 * (worker/turns.h) or for keys before they were submitted. */
static struct pending *oldest_of(const struct pending_list *list)
{
    struct pending *oldest = list->first;

    for (struct pending *pending = oldest; pending != NULL; pending = pending->next) {
        oldest = pending->asked_us < oldest->asked_us ? pending : oldest;
    }
    return oldest;
}

/* If the server does not answer a statement in time, the session is closed. The other statements
 * are sent again on the next session. */
static void expire_sent(struct connection *connection, int64_t now_us)
{
    struct pending *late = oldest_of(&connection->pipeline.sent);

    if (late == NULL || connection_deadline_us(connection, late) > now_us) {
        return;
    }
    log_message(LOG_WARNING, "database", "%s: session lost: no answer in time",
                late->statement->def->name);
    connection_drop_session(connection, false);
    if (late == &connection->introduction.pending) {
        return; /* the write behind it has the same deadline */
    }
    pending_remove(&connection->queue, late);
    connection_fail(connection, late, STATUS_DATABASE_TIMEOUT);
}

/* list: of statements that are not under way. */
static void expire_waiting(struct connection *connection, struct pending_list *list, int64_t now_us)
{
    struct pending *late;

    while ((late = oldest_of(list)) != NULL && connection_deadline_us(connection, late) <= now_us) {
        pending_remove(list, late);
        connection_give_up(connection, late);
    }
}

/* Ends what has run out of time: an attempt to connect, a statement that was sent, statements in
 * the queue. */
static void expire(struct connection *connection)
{
    if (!link_expire(&connection->link)) {
        connection_note_failed_attempt(connection);
    }
    if (!is_idle(connection)) { /* most connections are idle */
        int64_t now_us = clock_us();

        expire_sent(connection, now_us);
        expire_waiting(connection, &connection->queue, now_us);
        expire_waiting(connection, &connection->spent, now_us);
    }
}

/* --- what the worker calls --- */

/* The queue is bounded, and in a known outage it is short: new statements then fail at once,
 * except for a few that cause the next attempt to connect. */
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
        connection_fail(connection, pending, STATUS_DATABASE_UNAVAILABLE);
    } else {
        pending_insert(&connection->queue, pending);
    }
}

bool connection_cancel(struct connection *connection, const void *context)
{
    for (struct pending *pending = connection->queue.first; pending != NULL;
         pending = pending->next) {
        if (pending->context == context && !pending->may_be_done) {
            pending_remove(&connection->queue, pending);
            memory_free(pending);
            return true;
        }
    }
    return false;
}

/* The socket of the session is ready while it connects. */
static void advance_attempt(struct connection *connection)
{
    if (!link_go_on_connecting(&connection->link)) {
        connection_note_failed_attempt(connection);
    } else if (connection->link.is_ready) {
        connection->is_wanted = false;
    }
}

bool connection_lacks_slot(const struct connection *connection)
{
    return !connection->link.is_ready && connection->link.lacks_slot;
}

bool connection_is_refused(const struct connection *connection)
{
    return connection->link.session == NULL && connection->link.failure.is_refused;
}

bool connection_is_ready(const struct connection *connection)
{
    return connection->link.is_ready;
}

int64_t connection_run(const struct connection *connection)
{
    return session_run(connection->link.session);
}

void connection_renew(struct connection *connection)
{
    connection->is_to_leave = connection->link.is_ready;
}

/* Closes the session that connection_renew() was called for, if it is still the same one. */
static void leave_if_asked(struct connection *connection)
{
    if (connection->is_to_leave && connection->link.is_ready) {
        connection_drop_session(connection, false);
        connection->is_wanted = true;
    }
    connection->is_to_leave = false;
}

size_t connection_addresses(const struct connection *connection)
{
    return connection->link.memory.count;
}

void connection_want(struct connection *connection)
{
    connection->is_wanted = true;
}

/* Whether a lost session may still run the statement. Only this connection's next session asks for
 * the end of the lost one (introduction.h), so the statement must not move to another
 * connection. */
static bool may_still_run(const struct connection *connection, const struct pending *pending)
{
    return connection->introduction.lost[0] != '\0' && pending->sent_us != 0 &&
           pending_expires(pending);
}

/* A statement keeps the time of its submission, which determines its place in the other
 * connection's queue. */
void connection_pass_on(struct connection *connection, struct connection *other)
{
    struct pending_list kept = {0}, passed = {0};
    struct pending *pending;

    connection->is_wanted = connection->is_wanted || connection->queue.first != NULL;
    while ((pending = pending_take(&connection->queue)) != NULL) {
        pending_append(may_still_run(connection, pending) ? &kept : &passed, pending);
    }
    connection->queue = kept;
    pending_put_back(&other->queue, &passed);
}

void connection_proceed(struct connection *connection, bool is_ready)
{
    if (is_ready && connection->link.is_ready) {
        connection_take_results(connection);
    } else if (is_ready && connection->link.session != NULL) {
        advance_attempt(connection);
    }
    connection_leave_superseded(connection);
    leave_if_asked(connection);
    expire(connection);
    if ((connection->queue.first != NULL || connection->is_wanted) &&
        !link_connect_if_due(&connection->link)) {
        connection_note_failed_attempt(connection);
    }
    if (connection->link.is_ready) {
        connection_send_queue(connection);
    }
    if (connection->settings->gives_up && !connection->link.is_ready) {
        connection_fail_queue(connection);
    }
    link_watch(&connection->link);
}

/* The earlier of first_us and the statement's deadline. */
static int64_t sooner(int64_t first_us, const struct connection *connection,
                      const struct pending *pending)
{
    int64_t end_us = pending != NULL ? connection_deadline_us(connection, pending) : INT64_MAX;

    return end_us < first_us ? end_us : first_us;
}

/* What ends a wait besides the socket: the next attempt or the end of the present one, and the
 * deadlines of the oldest statements in the queue, under way and spent. */
int connection_wait_ms(const struct connection *connection)
{
    bool is_connecting = connection->link.session != NULL && !connection->link.is_ready;
    bool needs_link = connection->link.session != NULL || connection->queue.first != NULL;

    if (is_idle(connection) && !is_connecting) {
        return -1;
    }
    int64_t first_us = needs_link ? link_next_us(&connection->link) : INT64_MAX;
    first_us = sooner(first_us, connection, oldest_of(&connection->queue));
    first_us = sooner(first_us, connection, oldest_of(&connection->spent));
    first_us = sooner(first_us, connection, oldest_of(&connection->pipeline.sent));
    int64_t left_us = first_us - clock_us();
    return left_us > 0 ? (int)((left_us + 999) / 1000) : 0;
}

/* For callers without an epoll loop: CGI, --check, the watcher, the purger, and a worker that
 * exits. So this function waits itself. */
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
