/* One PostgreSQL session: connected, set up and with its statements prepared, or not at all. Then it
 * is in libpq's pipeline mode, for db/pipeline.h. Nothing here waits for the server, the network or
 * the resolver unless it is given a deadline. */
#ifndef CRUDDUR_DB_SESSION_H
#define CRUDDUR_DB_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/counter.h"
#include "db/catalog.h"

struct pg_conn;
struct session;

struct session_counts {
    counter begun;
    counter failed; /* attempts to begin one */
    counter ended;  /* by whomever */
};

struct session_settings {
    const char *url; /* NULL: read from url_file at each connect */
    const char *url_file;
    const char *application_name;
    int statement_timeout_ms; /* the server's own limit */
    bool prepares;            /* false: send the text each time and set nothing up, for a pooler in
                                 transaction mode, whose sessions are not ours */
    unsigned lanes;           /* whose statements it is for */
    struct session_counts *counts; /* NULL: nobody counts */
};

/* Why there is no session: a line of text, or a line for each statement that the database refuses,
 * with file and line. May name host and user, never the password. */
struct session_failure {
    char text[4096];
    bool is_unfit; /* the database answered, but its schema doesn't fit the statements */
};

enum session_state { SESSION_CONNECTING, SESSION_READY, SESSION_FAILED };

/* Begins to connect. NULL when that fails at once. */
struct session *session_start(const struct session_settings *settings,
                              const struct catalog *catalog, unsigned first_host,
                              struct session_failure *failure);

/* Goes on connecting; to be called when the socket is ready. The socket may be another one
 * afterwards, even with the same number: take it out of any epoll set before. failure is filled in
 * with SESSION_FAILED, and for nothing else. */
enum session_state session_advance(struct session *session, struct session_failure *failure);

int session_fd(const struct session *session);
bool session_wants_to_write(const struct session *session); /* else only to read */

/* Waits for the socket. False at the deadline (monotonic, as all of them). */
bool session_wait(const struct session *session, int64_t deadline_us);

/* Connects and waits until that is done. NULL when it didn't work by the deadline. */
struct session *session_open(const struct session_settings *settings, const struct catalog *catalog,
                             unsigned first_host, int64_t deadline_us,
                             struct session_failure *failure);

/* Whether the database lets this role run every statement, which preparing them doesn't tell. What
 * it refuses is added to failure. Unprepared statements are not looked at. */
bool session_may_run_all(struct session *session, int64_t deadline_us,
                         struct session_failure *failure);

/* NULL is allowed. */
void session_close(struct session *session);

/* libpq's connection, for the pipeline. */
struct pg_conn *session_pg(const struct session *session);
const struct session_settings *session_settings(const struct session *session);
const struct catalog *session_catalog(const struct session *session);

/* Reads what has arrived, without waiting for more. False when the session is lost. */
bool session_receive(struct session *session);

/* Sends what the socket didn't take before. False when the session is lost. */
bool session_flush(struct session *session);

/* What libpq has to say of a session that is lost. */
const char *session_error(const struct session *session);

/* Whether the server has sent a warning since the last call: of our statements only that the wait
 * for the synchronous standby was cut short. The row may then be lost in a failover. */
bool session_take_warning(struct session *session);

#endif
