/* The body of a connection, for the files that make it. Each calls only those before it:
 *
 *     connection_queue.c    the statements that wait, and the end of each
 *     connection_loss.c     the end of a session
 *     connection_results.c  what comes back
 *     connection_send.c     what goes out
 *     connection.c          what others call
 *
 * No other file includes this one. */
#ifndef CRUDDUR_DB_CONNECTION_PRIVATE_H
#define CRUDDUR_DB_CONNECTION_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "db/connection.h"
#include "db/introduction.h"
#include "db/link.h"
#include "db/pending.h"
#include "db/pipeline.h"

struct connection {
    const struct connection_settings *settings;
    const struct catalog *catalog;
    struct pending_list queue; /* to be sent, in the order in which they came */
    struct pipeline pipeline;  /* what was sent on the link's session */
    bool is_wanted;            /* a session, though nothing is queued */
    bool is_to_leave;          /* the session is to be given up, see connection_renew() */
    struct link link;
    struct introduction introduction;
};

/* --- connection_queue.c --- */

/* By this process's clock (CLOCK_MONOTONIC). */
int64_t connection_deadline_us(const struct connection *connection, const struct pending *pending);

/* Hands the result over and frees the statement, which is on no list any more. */
void connection_complete(struct connection *connection, struct pending *pending,
                         struct result *result);

/* The same without a result of the server. */
void connection_fail(struct connection *connection, struct pending *pending, enum status status);

/* It is done with the error for what cannot be done in time. */
void connection_give_up(struct connection *connection, struct pending *pending);

/* Fails the statements that are queued now, but not those that their callbacks submit. */
void connection_fail_queue(struct connection *connection);

/* Queues a statement again, by the time of its submission, so that a retry does not go behind
 * later statements. */
void connection_put_back(struct connection *connection, struct pending *pending);

/* What is to be sent next, or NULL. The statements before it fail, as their deadlines have
 * passed. */
const struct pending *connection_next_in_time(struct connection *connection);

/* --- connection_loss.c --- */

/* Gives the session up; what was sent is queued again. is_suspect: the server may be crashing, see
 * link_drop_and_wait(). */
void connection_drop_session(struct connection *connection, bool is_suspect);

/* The same when the session broke, and libpq or the server has said so. The statement that has
 * met this too often fails. */
void connection_lose_session(struct connection *connection);

/* Drops a session with a primary that has a successor, with all that was sent on it. */
void connection_leave_superseded(struct connection *connection);

/* An attempt to connect has come to nothing. */
void connection_note_failed_attempt(struct connection *connection);

/* --- connection_results.c --- */

/* Reads the socket and takes all complete units. A callback may submit statements, which are only
 * queued by that. */
void connection_take_results(struct connection *connection);

/* --- connection_send.c --- */

/* Sends units up to the limit. */
void connection_send_queue(struct connection *connection);

#endif
