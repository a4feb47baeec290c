/* All statements of the service, read from the template files. */
#ifndef CRUDDUR_DB_CATALOG_H
#define CRUDDUR_DB_CATALOG_H

#include <stdbool.h>
#include <stddef.h>

#include "db/statement.h"

struct catalog;

/* Which connection runs a statement. A worker has one for reads, which so don't wait for another's
 * commit, and one for writes; the third is the watcher's. */
enum lane { LANE_READ = 1, LANE_WRITE = 2, LANE_WATCH = 4 };

struct prepared {
    const char *name;  /* "activities/home" */
    const char *sql;   /* with $1, $2, …, wrapped to its shape */
    size_t parameters; /* number of them */
    enum shape shape;
    enum lane lane;
    /* Several may be committed as one: it takes no lock for which two of them, in another order,
     * would wait for each other. */
    bool may_share;
};

/* Reads <dir>/<name>.sql for every statement. NULL when one is missing or wrong; every such file
 * was logged then, with its line. */
struct catalog *catalog_load(const char *dir);
void catalog_free(struct catalog *catalog); /* NULL is allowed */

const struct prepared *catalog_get(const struct catalog *catalog, enum statement_id id);

/* "sql/activities/home.sql:12" (in a static buffer) for an error position that PostgreSQL gave: a
 * count of characters into the statement's sql, from 1; 0 when there is none. */
const char *catalog_place(const struct catalog *catalog, enum statement_id id, int position);

/* The names of a statement's parameters, up to a NULL. */
const char *const *catalog_parameters(enum statement_id id);

#endif
