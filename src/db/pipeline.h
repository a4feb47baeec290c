/* The statements under way on one session, in the order in which they were sent. Each Sync ends a
 * unit, one statement or several, that is committed or rolled back as one; only when the server
 * has answered the Sync is anything about its statements certain. */
#ifndef CRUDDUR_DB_PIPELINE_H
#define CRUDDUR_DB_PIPELINE_H

#include <stdbool.h>
#include <stdint.h>

#include "db/session.h"
#include "db/statement.h"

/* Gets the result of what was submitted. The result and its text end with the call. */
typedef void statement_done(void *context, const struct result *result);

/* A submitted statement, from the queue through the pipeline to its result. */
struct pending {
    const struct statement *statement;
    statement_done *done;
    void *context;
    int64_t asked_us;        /* as in struct statement: its deadline counts from it */
    int64_t submitted_us;    /* its place in a queue */
    int64_t sent_us;         /* last; 0: never */
    char not_after[24];      /* of a write: the parameter of that name */
    struct pg_result *reply; /* the last that the server said of it */
    struct pending *next;
    int losses;       /* sessions that were lost while it ran */
    int late_repeats; /* attempts that the server's clock was past the deadline of */
    int repeats;      /* deadlocks and serialization failures that it met */
    bool runs_alone;  /* in no unit with others: one with it has failed */
    bool ends_unit;   /* a Sync was sent behind it */
    bool has_prelude; /* what was sent right before it, in its transaction, isn't answered yet: */
    bool is_prepared; /* … that prepares it; else it sets the transaction up */
    bool is_unfit;    /* the schema doesn't fit it */
};

/* A row of them. Zeroed it is empty. */
struct pending_list {
    struct pending *first, *last;
    int count;
};

void pending_append(struct pending_list *list, struct pending *pending);
struct pending *pending_take(struct pending_list *list); /* the first; NULL when there is none */

/* Takes this one out, wherever in the list it is. */
void pending_remove(struct pending_list *list, const struct pending *pending);

/* Puts it where it belongs by the time of its submission: as a rule that is the end. */
void pending_insert(struct pending_list *list, struct pending *pending);

/* Puts each of more back where it belongs in list by the time of its submission. more is empty
 * afterwards. */
void pending_put_back(struct pending_list *list, struct pending_list *more);

struct pipeline {
    struct session *session;     /* ready, not owned */
    struct pending_list sent;    /* without an answer to their Sync */
    struct pending *answered_to; /* of them, what the server's next words are about */
    int units;                   /* of them */
};

/* Sends the statements, none of them NULL, with a Sync behind the last. unit is empty afterwards.
 * False when the session is lost, as with all functions here. */
bool pipeline_send(struct pipeline *pipeline, struct pending_list *unit);

enum unit_state {
    UNIT_NONE, /* no further unit is complete */
    UNIT_DONE, /* committed: every statement of it has a reply */
    UNIT_FAILED,
    UNIT_LOST /* so is the session, with all that was sent */
};

/* Takes the next complete unit out. UNIT_FAILED: nothing of it was done; the statement that met the
 * error has it as its reply. */
enum unit_state pipeline_next(struct pipeline *pipeline, struct pending_list *unit);

/* Makes the result from the reply of a statement. Its text lives until pipeline_forget. */
void pipeline_result(const struct pipeline *pipeline, const struct pending *pending,
                     struct result *result);

/* What the first row of the reply has in a column, or NULL. Lives until pipeline_forget. */
const char *pipeline_column(const struct pending *pending, const char *column);

/* Whether the server gave up this very statement, of a failed unit, as it took too long. */
bool pipeline_timed_out(const struct pending *pending);

/* Gives up a statement's reply, so that it can be sent again. */
void pipeline_forget(struct pending *pending);

/* Takes all back that was sent, for another session. */
void pipeline_abandon(struct pipeline *pipeline, struct pending_list *unanswered);

#endif
