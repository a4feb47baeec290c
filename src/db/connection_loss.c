/* The end of a session that had statements under way. The statements go back to the queue. A
 * statement that may have crashed the server goes back at most CONNECTION_RESENDS_MAX times. */
#include <string.h>

#include "base/log.h"
#include "db/connection_private.h"
#include "db/session.h"

/* The backend of a session that ends may still run the writes that it was sent. */
static void note_loss(struct connection *connection)
{
    const struct pending *pending = connection->pipeline.sent.first;

    while (pending != NULL && !pending_expires(pending)) {
        pending = pending->next;
    }
    if (pending != NULL) {
        session_abandon(connection->link.session);
    }
    introduction_note_loss(&connection->introduction, pending != NULL);
}

/* A late answer of the old session must not be taken for the answer to another statement. */
void connection_drop_session(struct connection *connection, bool is_suspect)
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

/* What was sent to the superseded primary is sent again to its successor. With synchronous
 * replication the superseded primary can no longer confirm these writes; without it, what the
 * superseded primary confirms is lost in any case. */
void connection_leave_superseded(struct connection *connection)
{
    if (connection->link.is_ready && session_is_superseded(connection->link.session)) {
        log_message(LOG_WARNING, "database",
                    "session left: another primary has taken over from its server");
        connection_drop_session(connection, false);
    }
}

/* In a known outage no statement waits for one more attempt. */
void connection_note_failed_attempt(struct connection *connection)
{
    connection->is_wanted = false;
    if (link_is_away(&connection->link)) {
        connection_fail_queue(connection);
    }
}

/* The first unit that was sent is the one that the server ran when the session was lost; a
 * statement of it may have crashed the server. If the unit has several statements, each gets a
 * unit of its own on the next session, because it is not known which one it was. If it has only
 * one, the loss is counted for that statement. */
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

void connection_lose_session(struct connection *connection)
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
    connection_drop_session(connection, true);
    if (is_given_up) {
        pending_remove(&connection->queue, running);
        connection_give_up(connection, running);
    }
}
