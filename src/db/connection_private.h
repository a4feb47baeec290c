/* struct connection, for the files that implement it. Each file calls only functions of those
 * before it:
 *
 *     connection_queue.c    the queued statements, and the end of each statement
 *     connection_loss.c     the end of a session
 *     connection_results.c  the server's answers
 *     connection_send.c     sending
 *     connection.c          the functions of connection.h
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
    struct pending_list queue; /* to be sent, in the order of submission */
    struct pipeline pipeline;  /* what was sent on the link's session */
    struct pending_list spent; /* writes that may be done and are not sent again */
    bool is_wanted;            /* a session is wanted, though nothing is queued */
    bool is_to_leave;          /* the session is to be closed, see connection_renew() */
    struct link link;
    struct introduction introduction;
};

/* --- connection_queue.c --- */

/* The deadline of a statement, by this process's clock (CLOCK_MONOTONIC). */
int64_t connection_deadline_us(const struct connection *connection, const struct pending *pending);

/* Passes the result to the statement's callback and frees the statement, which must be on no
 * list. */
void connection_complete(struct connection *connection, struct pending *pending,
                         struct result *result);

/* As connection_complete(), without a result of the server. */
void connection_fail(struct connection *connection, struct pending *pending, enum status status);

/* Ends a statement that is not sent again and is on no list, with the error for that:
 * STATUS_DATABASE_TIMEOUT for a write that was sent, else STATUS_DATABASE_UNAVAILABLE. A write that
 * may be done becomes spent and ends at its deadline: until then the backend of a lost session may
 * still do it, and the client that got the error could have a contrary write acknowledged before. */
void connection_give_up(struct connection *connection, struct pending *pending);

/* Fails the statements that are queued now, but not those that their callbacks submit. Writes that
 * may be done stay queued until their deadlines. */
void connection_fail_queue(struct connection *connection);

/* Queues a statement again, by the time of its submission, so that a retry does not go behind
 * later statements. */
void connection_put_back(struct connection *connection, struct pending *pending);

/* The next statement to be sent, or NULL. Statements before it fail, because their deadlines have
 * passed. */
const struct pending *connection_next_in_time(struct connection *connection);

/* --- connection_loss.c --- */

/* Closes the session; the statements that were sent are queued again. is_suspect: the server may
 * be crashing, see link_drop_and_wait(). */
void connection_drop_session(struct connection *connection, bool is_suspect);

/* As connection_drop_session(), after libpq or the server has reported that the session is lost. A
 * statement that has lost its session too often fails. */
void connection_lose_session(struct connection *connection);

/* Closes the session if its server is a superseded primary. The statements that were sent are
 * queued again. */
void connection_leave_superseded(struct connection *connection);

/* Call this when an attempt to connect, or one of its addresses, has failed. In a known outage it
 * fails the queue. */
void connection_note_failed_attempt(struct connection *connection);

/* --- connection_results.c --- */

/* Reads the socket and takes all complete units. A callback may submit statements; that only
 * queues them. */
void connection_take_results(struct connection *connection);

/* --- connection_send.c --- */

/* Sends units up to units_max. */
void connection_send_queue(struct connection *connection);

#endif
