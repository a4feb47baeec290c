/* Why there is no session. */
#ifndef CRUDDUR_DB_FAILURE_H
#define CRUDDUR_DB_FAILURE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct catalog;
struct pg_result;
struct statement_def;

/* Why there is no session: a line of text, or a line for each statement that the database refuses,
 * with file and line. May name host and user, never the password. */
struct session_failure {
    struct error error;
    bool is_unfit;   /* the database answered, but its schema doesn't fit the statements */
    bool is_refused; /* the server refuses the settings: the log-in, the database, a parameter */
    bool lacks_slot; /* the server has all the sessions that it accepts */
};

/* failure_set() replaces the text, failure_add() adds to it after a semicolon. Both return
 * false. */
bool failure_set(struct session_failure *failure, const char *text);
bool failure_add(struct session_failure *failure, const char *text);

/* Adds what the server said when it refused the log-in, in libpq's verbose form, and sets
 * is_refused and lacks_slot by its SQLSTATE. */
void failure_add_refusal(struct session_failure *failure, const char *verbose);

/* Writes the line about a statement that the database refuses: file and line, the server's
 * message, the function of the schema in which the error occurred, if there is one, and the
 * SQLSTATE. */
void failure_describe(const struct catalog *catalog, const struct statement_def *def,
                      const struct pg_result *error, char *text, size_t size);

/* Adds a line for a statement that the database refuses, by its number in the catalog. Sets
 * is_unfit, unless the error says nothing about the schema. */
void failure_add_statement(struct session_failure *failure, const struct catalog *catalog,
                           size_t number, const struct pg_result *error);

#endif
