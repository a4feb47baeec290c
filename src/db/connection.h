/* A worker's one persistent connection to the database, as its requests see it: statements go in,
 * results come out. That the server restarted, failed over, deadlocked or hung in between is dealt
 * with here, once for every route. */
#ifndef CRUDDUR_DB_CONNECTION_H
#define CRUDDUR_DB_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "db/catalog.h"
#include "db/session.h"
#include "db/statement.h"

struct connection;

struct connection_settings {
    struct session_settings session;
    int deadline_ms;  /* for one statement, reconnecting and sending it again included */
    bool logs_values; /* parameter values at debug level */
};

enum {
    CONNECTION_CONNECT_MS = 2000, /* one attempt */
    CONNECTION_RETRY_MS = 50,     /* between attempts while a request waits for a lost session */
    CONNECTION_RESENDS_MAX =
        2,                     /* of a statement whose session was lost: a server that crashed takes
                                     new sessions for a moment before it ends them all */
    CONNECTION_REPEATS_MAX = 2 /* of a statement that met a deadlock or serialization failure */
};

/* Connects at the first statement. settings and catalog must outlive it. */
struct connection *connection_new(const struct connection_settings *settings,
                                  const struct catalog *catalog);
void connection_free(struct connection *connection); /* NULL is allowed */

/* Connects now, waiting up to CONNECTION_CONNECT_MS. False only when the database answers but its
 * schema doesn't fit the statements; one that is away says nothing against them. */
bool connection_fits(struct connection *connection);

/* Gets the result of what was submitted. The result and its text end with the call. */
typedef void statement_done(void *context, const struct result *result);

/* Runs the statement and then calls done, exactly once, also when nothing works. The values must
 * live until then.
 *
 * A session that is lost under a statement is made anew and the statement sent again, which is safe
 * as every statement can be repeated. When the database has stayed away longer than the deadline
 * later statements fail at once with STATUS_DATABASE_UNAVAILABLE, but for one attempt to connect
 * per back-off interval. */
void connection_submit(struct connection *connection, const struct statement *statement,
                       statement_done *done, void *context);

#endif
