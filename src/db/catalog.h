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
    const char *sql;   /* with $1, $2, …, and the wrapping of its shape */
    size_t parameters; /* number of them */
    /* A write: it has the parameter not_after, a time of the server's clock, and does nothing
     * after that time. not_after here is the parameter's index; connection_send.c sets its
     * value. */
    bool expires;
    size_t not_after;
};

/* Reads <dir>/<name>.sql for every statement: first the statements that no route has, beginning
 * with STATEMENT_SESSION_BEGIN and STATEMENT_SESSION_SERVER, then those of defs, a list that ends
 * with NULL. Returns NULL if a file is missing or wrong; every such file is logged, with the
 * line. */
MUST_CHECK struct catalog *catalog_load(const char *dir, const struct statement_def *const *defs);
void catalog_free(struct catalog *catalog); /* NULL is allowed */

/* A definition that the catalog does not have is a programming error and ends the process. */
const struct prepared *catalog_get(const struct catalog *catalog, const struct statement_def *def);

/* The statements by their number. */
size_t catalog_count(const struct catalog *catalog);
const struct prepared *catalog_at(const struct catalog *catalog, size_t number);

/* The place of an error, "sql/activities/home.sql:12", in a static buffer. position: as PostgreSQL
 * gave it, the number of a character in the statement's sql, counted from 1; 0 if it gave none. */
const char *catalog_place(const struct catalog *catalog, const struct statement_def *def,
                          int position);

#endif
