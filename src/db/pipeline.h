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
    struct pending_list sent;    /* statements whose Sync is not answered yet */
    struct pending *answered_to; /* the one of them that libpq's next result belongs to */
    int units;                   /* number of units that they form */
};

/* Sends the statements, with a Sync behind the last. unit must not be empty before, and is empty
 * afterwards. False when the session is lost. */
MUST_CHECK bool pipeline_send(struct pipeline *pipeline, struct session *session,
                              struct pending_list *unit);

enum unit_state {
    UNIT_NONE, /* no further unit is complete */
    UNIT_DONE, /* committed: every statement of it has a reply */
    UNIT_FAILED,
    UNIT_LOST /* the session is lost, with all that was sent */
};

/* Takes the next complete unit out. UNIT_FAILED: no statement of the unit had an effect; the reply
 * of the statement that met the error is that error. */
MUST_CHECK enum unit_state pipeline_next(struct pipeline *pipeline, struct session *session,
                                         struct pending_list *unit);

/* Makes the result from the reply of a statement. Its text lives until pipeline_forget. */
void pipeline_result(struct session *session, const struct pending *pending, struct result *result);

/* The value of a column in the first row of the reply, or NULL. Lives until pipeline_forget. */
const char *pipeline_column(const struct pending *pending, const char *column);

/* For a statement of a failed unit: whether the server gave up this very statement because it took
 * too long. */
bool pipeline_timed_out(const struct pending *pending);

/* For a statement of a failed unit: whether the server could not run this very statement because a
 * table has other columns than when the session prepared the statement. A new session can run
 * it. */
bool pipeline_is_outdated(const struct pending *pending);

/* Frees a statement's reply, so that the statement can be sent again. */
void pipeline_forget(struct pending *pending);

/* Moves all sent statements to unanswered, for another session. */
void pipeline_abandon(struct pipeline *pipeline, struct pending_list *unanswered);

#endif
