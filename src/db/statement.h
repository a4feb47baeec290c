/* The definitions of statements; and a statement with its values, which is all that a handler
 * sends to the database. */
#ifndef CRUDDUR_DB_STATEMENT_H
#define CRUDDUR_DB_STATEMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/trace.h"
#include "db/template.h"

/* The session that runs a statement. Each worker has one session for each of the first four lanes:
 * reads do not wait for commits, and neither waits for slow reads, which have a time limit of
 * their own. The hook has a session of its own because its login has rights that the other logins
 * do not have. Statements of the lanes for reads and slow reads may also run on the next two
 * lanes, whose sessions are with a replica. The watcher and the purger are processes with one
 * session each, and the prober has one for each address. */
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

/* The definition of a statement: its template, and how it is run. A definition is a constant in
 * the file of its only user. For a route the user is the handler, whose row in api/routes.c names
 * the definition. A definition is identified by its address. It does not contain the SQL text: the
 * catalog reads that from the template. */
struct statement_def {
    /* The path of the template below the SQL folder, without .sql: "activities/home". It is also
     * PostgreSQL's name for the prepared statement. */
    const char *name;
    enum shape shape;
    const char *parameters[TEMPLATE_PARAMETERS_MAX + 1]; /* in the order of $1, $2, …; then NULL */
    enum lane lane;
    unsigned more_lanes; /* set of further lanes that run it */
    /* Several such statements may be committed together, except those with takes_locks: two
     * commits that take the same locks in different orders would deadlock. Two equal posts of one
     * author in each of two commits can deadlock, too: PostgreSQL then ends one commit, and its
     * statements are run again one by one. */
    bool may_share;
    /* A read that may run on a replica (worker/reads.h): its result has nothing that is compared
     * with another server's result, such as transaction numbers. */
    bool on_replica;
    /* The work grows with the size of a thread of activities, up to a bound. Statements of one
     * requester run one at a time (worker/turns.h), because they wait for each other's locks, and
     * the writes of other requesters would wait behind them. */
    bool takes_turns;
};

/* The statements that no route has: cruddurd runs them for itself. Every catalog has them. */
extern const struct statement_def STATEMENT_SESSION_BEGIN;  /* sets a session up */
extern const struct statement_def STATEMENT_SESSION_SERVER; /* asks which server it is */
extern const struct statement_def
    STATEMENT_SESSION_COMMITTED; /* whether a standby shows some commits */
extern const struct statement_def STATEMENT_SESSION_INTRODUCE; /* reads the server's clock */
extern const struct statement_def STATEMENT_SESSION_ROOM;      /* reads the login's session limit */
extern const struct statement_def STATEMENT_SESSION_SCHEMA;    /* reads the last migration */
extern const struct statement_def STATEMENT_SESSION_SNAPSHOT;  /* reads the running transactions */
extern const struct statement_def STATEMENT_METRICS_STEP;      /* does a step of the purge */

/* A value is NUL-terminated UTF-8 that lives until the statement is done; NULL is SQL's NULL.
 * Sending a statement a second time must be safe: the UUID of a row that it creates is one of its
 * values. */
struct statement {
    const struct statement_def *def;
    /* Monotonic: when the request of the statement had arrived. The deadline counts from then. 0:
     * from the submission. */
    int64_t asked_us;
    /* The statement takes locks besides those of its own rows. It is not committed together with
     * other statements, because those may take the same locks in another order. */
    bool takes_locks;
    struct trace trace; /* of the statement's request; zeroed: it has none */
    const char *values[TEMPLATE_PARAMETERS_MAX];
};

/* The set of the lanes that run the statement. */
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
    const char *outcome;  /* the statement's outcome word; NULL: it returned no row */
    const char *body;     /* JSON text; NULL when there is none */
    size_t body_length;   /* bytes */
    const char *next_key; /* of a page's last row when the page is full, else NULL */
    int64_t lives_us;     /* of a page or the purge: until a row expires; -1: none does */
    /* The snapshot, as in snapshot.h; or for a list whose rows become visible in its order, the
     * newest row's key; NULL: the result is not to be cached. */
    const char *seen;
    int64_t clock_us;     /* of a poll: the server's clock, since 1970; else 0 */
    int64_t visibility;   /* of a home page: the number that viewers.h compares; else 0 */
    int retry_after_s;    /* of a write over a limit: seconds until there is room; else 0 */
    uint64_t xid;         /* of a write: its transaction; 0: not known */
    int stale_s;          /* age of a result that is given while the database is away; else 0 */
    char sqlstate[6];     /* of the error; "" without one */
    int64_t microseconds; /* from submission to result, reconnecting and repeating included */
};

/* Whether the statement did what was asked for: its outcome is "ok". */
bool result_is_ok(const struct result *result);

#endif
