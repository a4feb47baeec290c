/* All statements of the service, read from the template files. */
#ifndef CRUDDUR_DB_CATALOG_H
#define CRUDDUR_DB_CATALOG_H

#include <stdbool.h>
#include <stddef.h>

#include "db/statement.h"

struct catalog;

/* The session that runs a statement. Each worker has one session for each of the first four lanes: reads
 * do not wait for commits, and neither waits for slow reads, which have a time limit of their own. The
 * hook has a session of its own because its login has rights that the other logins do not have. The
 * watcher and the purger are processes with one session each. */
enum lane { LANE_READ, LANE_WRITE, LANE_SLOW, LANE_HOOK, LANE_WATCH, LANE_PURGE };
enum { LANE_WORKER_COUNT = LANE_HOOK + 1 };

/* The lane as a set of lanes, for bitwise or. */
#define LANE_SET(lane) (1U << (lane))

struct prepared {
    const char *name;  /* "activities/home" */
    const char *sql;   /* with $1, $2, …, wrapped to its shape */
    size_t parameters; /* number of them */
    enum shape shape;
    enum lane lane;
    unsigned lanes; /* set of the lanes that run it: lane, and others if several do */
    /* Several may be committed together, except those with takes_locks: two commits that take the same
     * locks in different orders would deadlock. Two equal posts of one author in each of two commits can
     * deadlock, too: PostgreSQL then ends one commit, and its statements are run again one by one. */
    bool may_share;
    /* Its work grows with a thread, up to a bound. One asker's run one at a time in a worker, as they wait
     * for each other's locks, and what others write waits behind them. */
    bool takes_turns;
    /* A write: it does nothing after a time of the server's clock, its parameter number not_after,
     * which connection.c sets. */
    bool expires;
    size_t not_after;
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
