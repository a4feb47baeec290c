/* One PostgreSQL session: connected, set up and with every statement prepared, or not at all.
 * Nothing here waits longer than the deadline it is given, whatever the server or the network
 * does (but for the resolver, where the URL has names); after a wait in vain the session is closed, as nobody knows what it would say next. */
#ifndef CRUDDUR_DB_SESSION_H
#define CRUDDUR_DB_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "db/catalog.h"
#include "db/statement.h"

struct session;

struct session_settings {
    const char *url; /* NULL: read from url_file at each connect */
    const char *url_file;
    const char *application_name;
    int statement_timeout_ms; /* the server's own limit */
    bool prepares;            /* false: send the text each time and set nothing up, for a pooler in
                                 transaction mode, whose sessions are not ours */
};

/* Why there is no session: a line of text, or a line for each statement that the database refuses,
 * with file and line. May name host and user, never the password. */
struct session_failure {
    char text[4096];
    bool is_unfit; /* the database answered, but its schema doesn't fit the statements */
};

/* Connects, sets the session up and prepares all statements, by deadline_us (monotonic). NULL when
 * that did not work. */
struct session *session_open(const struct session_settings *settings, const struct catalog *catalog,
                             unsigned first_host, int64_t deadline_us,
                             struct session_failure *failure);

/* NULL is allowed. */
void session_close(struct session *session);

enum session_answer {
    SESSION_ANSWERED, /* result is filled in, an error of the server included */
    SESSION_LOST,     /* the connection broke: the statement may or may not have run */
    SESSION_LATE      /* no answer by the deadline; likewise */
};

/* Runs one statement. The result's text lives until session_clear. */
enum session_answer session_run(struct session *session, const struct statement *statement,
                                int64_t deadline_us, struct result *result);

/* Whether the database lets this role run every statement, which preparing them doesn't tell. What
 * it refuses is added to failure. Unprepared statements are not looked at. */
bool session_may_run_all(struct session *session, int64_t deadline_us,
                         struct session_failure *failure);

/* What libpq has to say of a session that is lost or late. */
const char *session_error(const struct session *session);

/* Gives up the last result. */
void session_clear(struct session *session);

#endif
