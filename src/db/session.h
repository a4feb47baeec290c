/* One PostgreSQL session. db/dial.h connects it and sets it up. After that it is in libpq's
 * pipeline mode, for db/pipeline.h, which prepares each statement when the session first runs it.
 * So a statement that a session never runs costs nothing, and set-up is one round trip. No
 * function here waits for the server, the network or the resolver unless it has a deadline. */
#ifndef CRUDDUR_DB_SESSION_H
#define CRUDDUR_DB_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/counter.h"
#include "base/error.h"
#include "db/catalog.h"

struct pg_conn;
struct session;
struct timelines;

enum { SESSION_SERVER_VERSION_MIN = 150000 /* as PQserverVersion() returns it */ };

struct session_counts {
    counter begun;
    counter failed;   /* attempts to begin one */
    counter ended;    /* by either side */
    _Atomic int open; /* sessions that are ready at this moment */
};

struct session_settings {
    const char *url; /* NULL: read from url_file at each connect */
    const char *url_file;
    const char *application_name;
    int statement_timeout_ms; /* the server's own limit */
    bool prepares;            /* false: send the text each time and set each transaction up, for a
                                 pooler in transaction mode, whose sessions other clients share */
    int only_address; /* use only this one of the URL's addresses, counted from 1, whether it is a
                       * primary or a standby; 0: use all, as the URL says */
    unsigned lanes;   /* set (LANE_SET) of the lanes whose statements it runs */
    struct session_counts *counts; /* NULL: sessions are not counted */
    bool is_replica; /* the session asks which server it is with, also without timelines */
    /* A session with a primary that is superseded by these timelines is not used. NULL, or behind
     * a pooler (prepares is false): timelines are not compared. */
    struct timelines *timelines;
};

int session_fd(const struct session *session);
bool session_wants_to_write(const struct session *session); /* else only to read */

/* Waits for the socket. False at the deadline, which is monotonic as all deadlines are. */
bool session_wait(const struct session *session, int64_t deadline_us);

/* Makes session_close() reset the connection: over TCP the kernel then does not send again what
 * the server has not received. */
void session_abandon(const struct session *session);

/* NULL is allowed. */
void session_close(struct session *session);

/* libpq's connection, for the pipeline. */
struct pg_conn *session_pg(const struct session *session);
const struct session_settings *session_settings(const struct session *session);
const struct catalog *session_catalog(const struct session *session);

/* Whether the statement was sent to be prepared, and was not refused. */
bool session_has_prepared(const struct session *session, const struct prepared *statement);
void session_note_prepared(struct session *session, const struct prepared *statement,
                           bool is_prepared);

/* Notes that the schema does not fit the statement. Returns true at the first call for it. */
bool session_note_unfit(struct session *session, const struct prepared *statement);

/* Sends the statement that sets a session, or a transaction, up. False when the session is lost. */
MUST_CHECK bool session_send_begin(const struct session *session, bool is_local);

/* Reads what has arrived, without waiting for more. False when the session is lost. */
MUST_CHECK bool session_receive(struct session *session);

/* Sends what the socket didn't take before. False when the session is lost. */
MUST_CHECK bool session_flush(struct session *session);

/* The run of the session's server, as in struct server; 0: not known. */
int64_t session_run(const struct session *session);

/* Whether the session's server is a superseded primary: a session of the pool has seen a later
 * timeline of the same system. Costs one relaxed read of shared memory. */
bool session_is_superseded(const struct session *session);

/* libpq's message about a session that is lost. */
const char *session_error(const struct session *session);

/* Whether the server has reported, since the last call, a commit that did not wait to the end for
 * the synchronous standby. What was written may then be lost in a failover. */
bool session_take_doubt(struct session *session);

#endif
