/* Statements: their definitions, and one statement with its values, which is all that a handler
 * says to the database. */
#ifndef CRUDDUR_DB_STATEMENT_H
#define CRUDDUR_DB_STATEMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/trace.h"
#include "db/template.h"

/* The session that runs a statement. Each worker has one session for each of the first four
 * lanes: reads do not wait for commits, and neither waits for slow reads, which have a time
 * limit of their own. The hook has a session of its own because its login has rights that the
 * other logins do not have. Statements of the lanes for reads and slow reads may also run on the
 * next two, sessions with a replica. The watcher and the purger are processes with one session each,
 * and the prober has one for each address. */
enum lane {
    LANE_READ,
    LANE_WRITE,
    LANE_SLOW,
    LANE_HOOK,
    LANE_REPLICA,
    LANE_REPLICA_SLOW,
    LANE_WATCH,
    LANE_PURGE,
    LANE_PROBE
};
enum { LANE_WORKER_COUNT = LANE_REPLICA_SLOW + 1 };

/* The lane as a set of lanes, for bitwise or. */
#define LANE_SET(lane) (1U << (lane))

/* The definition of a statement: which template it is and how it is run. A definition is a
 * constant that stands beside its only user: for a route that is the handler, whose row in
 * api/routes.c names it. Its address is its identity. The SQL text is not part of it: the
 * catalog reads it from the template. */
struct statement_def {
    /* Of the template below the SQL folder, without .sql: "activities/home". PostgreSQL knows the
     * prepared statement by it. */
    const char *name;
    enum shape shape;
    const char *parameters[TEMPLATE_PARAMETERS_MAX + 1]; /* in the order of $1, $2, …; then NULL */
    enum lane lane;
    unsigned more_lanes; /* set of lanes that run it, too */
    /* Several may be committed together, except those with takes_locks: two commits that take
     * the same locks in different orders would deadlock. Two equal posts of one author in each
     * of two commits can deadlock, too: PostgreSQL then ends one commit, and its statements are
     * run again one by one. */
    bool may_share;
    /* A read that may run on a replica (worker/reads.h): nothing of its result is compared with
     * another server's, as numbers of transactions would be. */
    bool on_replica;
    /* Its work grows with a thread, up to a bound. Statements of one requester run one at a time
     * (worker/turns.h), because they wait for each other's locks, and the writes of other
     * requesters would wait behind them. */
    bool takes_turns;
};

/* The statements that no route has: cruddurd runs them for itself. Every catalog has them. */
extern const struct statement_def STATEMENT_SESSION_BEGIN;  /* sets a session up */
extern const struct statement_def STATEMENT_SESSION_SERVER; /* says which server it is */
extern const struct statement_def
    STATEMENT_SESSION_COMMITTED; /* says whether it shows some commits */
extern const struct statement_def STATEMENT_SESSION_INTRODUCE; /* reads the server's clock */
extern const struct statement_def STATEMENT_SESSION_ROOM;     /* counts the sessions of the login */
extern const struct statement_def STATEMENT_SESSION_SCHEMA;   /* reads the last migration */
extern const struct statement_def STATEMENT_SESSION_SNAPSHOT; /* reads the running transactions */
extern const struct statement_def STATEMENT_METRICS_STEP;     /* does a step of the purge */

/* A value is NUL-terminated UTF-8 that lives until the statement is done; NULL is SQL's NULL.
 * Sending a statement a second time must be safe: what it creates carries its UUID already. */
struct statement {
    const struct statement_def *def;
    /* Monotonic: when the request that it is for had arrived. Its deadline counts from then. 0:
     * now. */
    int64_t asked_us;
    /* It takes locks besides those of its own rows: it is not committed together with others,
     * which may take the same locks in another order. */
    bool takes_locks;
    struct trace trace; /* of the request that it is run for; zeroed: it has none */
    const char *values[TEMPLATE_PARAMETERS_MAX];
};

/* The set of the lanes that run it. */
unsigned statement_lanes(const struct statement_def *def);

/* An empty statement: every parameter NULL. */
struct statement statement_of(const struct statement_def *def);

/* Sets a parameter by its name in the template. A name that the statement doesn't have is a
 * programming error and ends the process. */
void statement_bind(struct statement *statement, const char *parameter, const char *value);

/* The value that a parameter was set to. */
const char *statement_value(const struct statement *statement, const char *parameter);

/* The index of a parameter among the values; TEMPLATE_PARAMETERS_MAX: the statement has none of
 * that name. */
size_t statement_find(const struct statement_def *def, const char *parameter);

/* What came back. The text lives until the callback that gets it returns. */
struct result {
    enum status status;   /* STATUS_OK: the database answered; else why not */
    const char *outcome;  /* the statement's outcome word; NULL: it gave no row */
    const char *body;     /* JSON text; NULL when there is none */
    size_t body_length;   /* bytes */
    const char *next_key; /* of a page's last row when the page is full, else NULL */
    int64_t lives_us;     /* of a page or the purge: until a row expires; -1: none does */
    /* The snapshot, as in snapshot.h; or for a list whose rows become visible in its order, the
     * newest row's key; NULL: the result is not to be cached. */
    const char *seen;
    int64_t clock_us;   /* of a poll: the server's clock, since 1970; else 0 */
    int64_t visibility; /* of a home page: the number that viewers.h compares; else 0 */
    int retry_after_s;  /* of a write that there is no room for yet; else 0 */
    uint64_t xid;       /* of a write: its transaction; 0: not known */
    int stale_s; /* for how long others' writes may be missing, as the database is away; else 0 */
    char sqlstate[6];     /* of the error; "" without one */
    int64_t microseconds; /* waited for the database, reconnecting and repeating included */
};

/* Whether the statement did what was asked for: its outcome is "ok". */
bool result_is_ok(const struct result *result);

#endif
