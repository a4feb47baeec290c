/* The function's connection to the database, which is kept from one invocation to the next. */
#ifndef CRUDDUR_LAMBDA_DATABASE_H
#define CRUDDUR_LAMBDA_DATABASE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "db/statement.h"

struct environment;
struct database;

enum {
    DATABASE_PATIENCE_MS = 2000, /* how long attempts to connect fail before it is an outage */
    DATABASE_WORD_SIZE = 64
};

/* What a statement came to: "ok", another outcome word of it, or a word for why there is no
 * outcome. */
struct conclusion {
    char word[DATABASE_WORD_SIZE];
    char sqlstate[6]; /* of the error; "" without one */
};

/* Makes no session yet. NULL: the settings or the templates are wrong, and error says how.
 * environment must outlive it. */
MUST_CHECK struct database *database_new(const struct environment *environment,
                                         struct error *error);
void database_free(struct database *database); /* NULL is allowed */

/* Fetches the secret, if there is one, and connects, in at most time_ms. What fails is logged,
 * and is tried again by the next statement. */
void database_open(struct database *database, int time_ms);

/* Runs the statement, which counts from its asked_us on, and returns when it is committed, has
 * failed, or time_ms are over; then it will not be committed later. If the server refuses the
 * login, the secret is fetched anew, once. */
void database_run(struct database *database, const struct statement *statement, int time_ms,
                  struct conclusion *conclusion);

#endif
