/* The statements under way on one session, in the order in which they were sent. Each Sync ends a
 * unit, one statement or several, that is committed or rolled back as one; only when the server
 * has answered the Sync is anything about its statements certain. */
#ifndef CRUDDUR_DB_PIPELINE_H
#define CRUDDUR_DB_PIPELINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "db/pending.h"
#include "db/session.h"

struct pipeline {
    struct pending_list sent;    /* without an answer to their Sync */
    struct pending *answered_to; /* of them, the one that libpq's next result is of */
    int units;                   /* of them */
};

/* Sends the statements, none of them NULL, with a Sync behind the last. unit is empty afterwards.
 * False when the session is lost, as with all functions here. */
MUST_CHECK bool pipeline_send(struct pipeline *pipeline, struct session *session,
                              struct pending_list *unit);

enum unit_state {
    UNIT_NONE, /* no further unit is complete */
    UNIT_DONE, /* committed: every statement of it has a reply */
    UNIT_FAILED,
    UNIT_LOST /* so is the session, with all that was sent */
};

/* Takes the next complete unit out. UNIT_FAILED: nothing of it was done; the statement that met the
 * error has it as its reply. */
MUST_CHECK enum unit_state pipeline_next(struct pipeline *pipeline, struct session *session,
                                         struct pending_list *unit);

/* Makes the result from the reply of a statement. Its text lives until pipeline_forget. */
void pipeline_result(struct session *session, const struct pending *pending, struct result *result);

/* What the first row of the reply has in a column, or NULL. Lives until pipeline_forget. */
const char *pipeline_column(const struct pending *pending, const char *column);

/* Whether the server gave up this very statement, of a failed unit, as it took too long. */
bool pipeline_timed_out(const struct pending *pending);

/* Whether the server could not run this very statement, of a failed unit, because a table has other
 * columns than when the session prepared it. A new session can. */
bool pipeline_is_outdated(const struct pending *pending);

/* Gives up a statement's reply, so that it can be sent again. */
void pipeline_forget(struct pending *pending);

/* Takes all back that was sent, for another session. */
void pipeline_abandon(struct pipeline *pipeline, struct pending_list *unanswered);

#endif
