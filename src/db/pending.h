/* A submitted statement on its way from the queue to its result, and lists of such statements. */
#ifndef CRUDDUR_DB_PENDING_H
#define CRUDDUR_DB_PENDING_H

#include <stdbool.h>
#include <stdint.h>

#include "db/statement.h"

struct pg_result;
struct prepared;

/* Gets the result of a submitted statement. The result and its text are valid only during the
 * call. */
typedef void statement_done(void *context, const struct result *result);

/* A submitted statement, from the queue through the pipeline to its result. */
struct pending {
    const struct statement *statement;
    const struct prepared *prepared; /* the statement's entry in the catalog */
    statement_done *done;
    void *context;
    int64_t asked_us;        /* as in struct statement: its deadline counts from it */
    int64_t submitted_us;    /* its place in a queue */
    int64_t sent_us;         /* when it was last sent; 0: never */
    char not_after[24];      /* of a write: the parameter of that name */
    struct pg_result *reply; /* the server's last reply to it */
    struct pending *next;
    int losses;       /* sessions that were lost while it ran */
    int late_repeats; /* attempts that were too late by the server's clock */
    int repeats;      /* deadlocks and serialization failures that it met */
    bool runs_alone;  /* shares no unit: a unit with it has failed or was lost */
    bool ends_unit;   /* a Sync was sent behind it */
    bool has_prelude; /* a message sent right before it is not answered yet */
    bool is_prepared; /* … that message prepares it; else it sets the transaction up */
    bool is_unfit;    /* the schema doesn't fit it */
    bool may_be_done; /* a write whose session was lost before its answer, and may have done it */
};

/* A list of them. Zeroed it is empty. */
struct pending_list {
    struct pending *first, *last;
    int count;
};

/* Whether the statement does nothing after its not_after, by the server's clock: true for
 * writes. */
bool pending_expires(const struct pending *pending);

void pending_append(struct pending_list *list, struct pending *pending);
struct pending *pending_take(struct pending_list *list); /* the first; NULL if the list is empty */

/* Takes the statement out of the list, wherever it is in it. */
void pending_remove(struct pending_list *list, const struct pending *pending);

/* Inserts the statement by the time of its submission, as a rule at the end. */
void pending_insert(struct pending_list *list, struct pending *pending);

/* Inserts each statement of more into list by the time of its submission. more is empty
 * afterwards. */
void pending_put_back(struct pending_list *list, struct pending_list *more);

#endif
