/* One PostgreSQL session: connected and set up, or not at all. Then it is in libpq's pipeline
 * mode, for db/pipeline.h, which prepares each statement when the session first runs it: what a
 * session never runs costs nothing, and set-up is one round trip. Nothing here waits for the
 * server, the network or the resolver unless it is given a deadline. */
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

enum { SESSION_SERVER_VERSION_MIN = 150000 /* as libpq has it */ };

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
                                 pooler in transaction mode, whose sessions are not ours */
    int only_address; /* of the URL's addresses, from 1, whether it is a primary or a standby; 0:
                       * all, as the URL says */
    unsigned lanes;   /* set (LANE_SET) of those whose statements it runs */
    struct session_counts *counts; /* NULL: they are not counted */
    bool is_replica; /* it asks which server it is with, and that is nothing to the timelines */
    /* What a session finds to be of an earlier timeline than these have is not used. NULL: it is not
     * asked for its timeline. Nor is it if the settings say that it is a pooler's. */
    struct timelines *timelines;
};

int session_fd(const struct session *session);
bool session_wants_to_write(const struct session *session); /* else only to read */

/* Waits for the socket. False at the deadline (monotonic, as all of them). */
bool session_wait(const struct session *session, int64_t deadline_us);

/* Has session_close end the connection at once: over TCP nothing that was sent and not received is
 * sent again. */
void session_abandon(const struct session *session);

/* NULL is allowed. */
void session_close(struct session *session);

/* libpq's connection, for the pipeline. */
struct pg_conn *session_pg(const struct session *session);
const struct session_settings *session_settings(const struct session *session);
const struct catalog *session_catalog(const struct session *session);

/* Whether a statement of that name was sent to be prepared, and wasn't refused. */
bool session_has_prepared(const struct session *session, const struct prepared *statement);
void session_note_prepared(struct session *session, const struct prepared *statement,
                           bool is_prepared);

/* Notes that the schema does not fit the statement. Returns whether it was not noted before. */
bool session_note_unfit(struct session *session, const struct prepared *statement);

/* Sends the statement that sets a session, or a transaction, up. False when the session is lost. */
MUST_CHECK bool session_send_begin(const struct session *session, bool is_local);

/* Reads what has arrived, without waiting for more. False when the session is lost. */
MUST_CHECK bool session_receive(struct session *session);

/* Sends what the socket didn't take before. False when the session is lost. */
MUST_CHECK bool session_flush(struct session *session);

/* Of its server, as in struct server; 0: not known. */
int64_t session_run(const struct session *session);

/* Whether its server is a primary that has a successor: a session of the pool has seen a later
 * timeline of the same system. One relaxed read of shared memory. */
bool session_is_superseded(const struct session *session);

/* libpq's message about a session that is lost. */
const char *session_error(const struct session *session);

/* Whether the server has said since the last call that a commit did not wait for the synchronous
 * standby to its end. What was written may then be lost in a failover. */
bool session_take_doubt(struct session *session);

#endif
