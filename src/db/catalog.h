/* The catalog: the SQL text of every statement, read from the template files. It is made before the
 * workers are forked and does not change. */
#ifndef CRUDDUR_DB_CATALOG_H
#define CRUDDUR_DB_CATALOG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "db/statement.h"

enum { CATALOG_MAX = 64 }; /* statements */

struct catalog;

/* A statement that is ready to be prepared. */
struct prepared {
    const struct statement_def *def;
    size_t number;     /* its position in the catalog, below CATALOG_MAX */
    const char *sql;   /* with $1, $2, …, wrapped to its shape */
    size_t parameters; /* number of them */
    /* A write: it does nothing after a time of the server's clock, its parameter number not_after,
     * which connection_send.c sets. */
    bool expires;
    size_t not_after;
};

/* Reads <dir>/<name>.sql for every statement: those that no route has, STATEMENT_SESSION_BEGIN
 * and STATEMENT_SESSION_SERVER first, then those of defs, a list that NULL ends. NULL when a file is missing or wrong; every
 * such file was logged then, with its line. */
MUST_CHECK struct catalog *catalog_load(const char *dir, const struct statement_def *const *defs);
void catalog_free(struct catalog *catalog); /* NULL is allowed */

/* A definition that the catalog does not have is a programming error and ends the process. */
const struct prepared *catalog_get(const struct catalog *catalog, const struct statement_def *def);

/* The statements by their number. */
size_t catalog_count(const struct catalog *catalog);
const struct prepared *catalog_at(const struct catalog *catalog, size_t number);

/* "sql/activities/home.sql:12" (in a static buffer) for an error position that PostgreSQL gave: a
 * count of characters into the statement's sql, from 1; 0 when there is none. */
const char *catalog_place(const struct catalog *catalog, const struct statement_def *def,
                          int position);

#endif
