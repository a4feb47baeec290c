/* The function's connection to the database, which stays open between invocations. */
#ifndef CRUDDUR_LAMBDA_DATABASE_H
#define CRUDDUR_LAMBDA_DATABASE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "db/statement.h"

struct environment;
struct database;

enum {
    DATABASE_PATIENCE_MS = 2000, /* how long attempts may fail before it is an outage */
    DATABASE_WORD_SIZE = 64
};

/* The result of a statement: "ok", another outcome word of the statement, or a word for the reason
 * why there is no outcome. */
struct conclusion {
    char word[DATABASE_WORD_SIZE];
    char sqlstate[6]; /* of the error; "" without one */
};

/* Makes no session yet. NULL: the settings or the templates are wrong, and error says how.
 * environment must outlive the database. */
MUST_CHECK struct database *database_new(const struct environment *environment,
                                         struct error *error);
void database_free(struct database *database); /* NULL is allowed */

/* Fetches the secret, if one is configured, and connects, in at most time_ms. A failure is logged,
 * and the next statement tries again. */
void database_open(struct database *database, int time_ms);

/* Runs the statement, with a time limit of time_ms from its asked_us on. Returns when it is
 * committed, when it has failed, or at the limit; then it will not be committed later. If the
 * server refuses the login, the secret is fetched anew, once. */
void database_run(struct database *database, const struct statement *statement, int time_ms,
                  struct conclusion *conclusion);

#endif
