/* A submitted statement on its way from the queue to its result, and lists of such statements. */
#ifndef CRUDDUR_DB_PENDING_H
#define CRUDDUR_DB_PENDING_H

#include <stdbool.h>
#include <stdint.h>

#include "db/statement.h"

struct pg_result;
struct prepared;

/* Gets the result of what was submitted. The result and its text end with the call. */
typedef void statement_done(void *context, const struct result *result);

/* A submitted statement, from the queue through the pipeline to its result. */
struct pending {
    const struct statement *statement;
    const struct prepared *prepared; /* the catalog's, of the statement */
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
    bool has_prelude; /* a message was sent right before it that is not answered yet */
    bool is_prepared; /* … that message prepares it; else it sets the transaction up */
    bool is_unfit;    /* the schema doesn't fit it */
};

/* A list of them. Zeroed it is empty. */
struct pending_list {
    struct pending *first, *last;
    int count;
};

/* Whether it does nothing after its not_after, by the server's clock: true for writes. */
bool pending_expires(const struct pending *pending);

void pending_append(struct pending_list *list, struct pending *pending);
struct pending *pending_take(struct pending_list *list); /* the first; NULL when there is none */

/* Takes this one out, wherever in the list it is. */
void pending_remove(struct pending_list *list, const struct pending *pending);

/* Puts it where it belongs by the time of its submission: as a rule that is the end. */
void pending_insert(struct pending_list *list, struct pending *pending);

/* Puts each of more back where it belongs in list by the time of its submission. more is empty
 * afterwards. */
void pending_put_back(struct pending_list *list, struct pending_list *more);

#endif
