#include "db/connection.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "db/backoff.h"
#include "db/sqlstate.h"

enum { LOG_FAILURE_MS = 60000 };

struct connection {
    const struct connection_settings *settings;
    const struct catalog *catalog;
    struct session *session; /* NULL while there is none */
    unsigned host;           /* which of several hosts to try first */
    struct backoff backoff;
    bool is_logged; /* that there is no session */
    bool is_unfit;  /* because the schema doesn't fit */
    int64_t logged_ms;
};

struct connection *connection_new(const struct connection_settings *settings,
                                  const struct catalog *catalog)
{
    struct connection *connection = memory_zeroed(sizeof *connection);

    connection->settings = settings;
    connection->catalog = catalog;
    return connection;
}

void connection_free(struct connection *connection)
{
    if (connection != NULL) {
        session_close(connection->session);
        memory_free(connection);
    }
}

/* One line a minute; one more when what is wrong is no longer the way to the database but its schema,
 * or the other way round. */
static void log_failure(struct connection *connection, const struct session_failure *failure)
{
    int64_t now = clock_ms();

    if (connection->is_logged && failure->is_unfit == connection->is_unfit &&
        now - connection->logged_ms < LOG_FAILURE_MS) {
        return;
    }
    connection->is_logged = true;
    connection->is_unfit = failure->is_unfit;
    connection->logged_ms = now;
    log_message(LOG_WARNING, "database", "no connection: %.*s", (int)strcspn(failure->text, "\n"),
                failure->text);
}

static bool connect_once(struct connection *connection, int64_t deadline_us)
{
    struct session_failure failure = {.text = ""};
    int64_t began = clock_us();
    int64_t attempt_end = began + CONNECTION_CONNECT_MS * INT64_C(1000);

    connection->session =
        session_open(&connection->settings->session, connection->catalog, connection->host,
                     attempt_end < deadline_us ? attempt_end : deadline_us, &failure);
    if (connection->session == NULL) {
        connection->host++;
        backoff_failed(&connection->backoff, began, clock_us(), (uint32_t)random());
        log_failure(connection, &failure);
        return false;
    }
    if (connection->is_logged) {
        log_message(LOG_INFO, "database", "connected again");
        connection->is_logged = false;
    }
    backoff_succeeded(&connection->backoff);
    return true;
}

bool connection_fits(struct connection *connection)
{
    int64_t deadline_us = clock_us() + CONNECTION_CONNECT_MS * INT64_C(1000);
    struct session_failure failure = {.text = ""};

    if (!connect_once(connection, deadline_us)) {
        return !connection->is_unfit;
    }
    if (session_may_run_all(connection->session, deadline_us, &failure)) {
        return true;
    }
    log_failure(connection, &failure);
    return !failure.is_unfit;
}

static void pause_ms(int ms)
{
    struct timespec time = {.tv_nsec = ms * 1000000L};

    nanosleep(&time, NULL);
}

/* Tries until the deadline. The first attempt is at once: a session is often lost for a reason
 * that a new one doesn't have. */
static bool connect_patiently(struct connection *connection, int64_t deadline_us)
{
    while (!connect_once(connection, deadline_us)) {
        if (clock_us() + CONNECTION_RETRY_MS * INT64_C(1000) >= deadline_us) {
            return false;
        }
        pause_ms(CONNECTION_RETRY_MS * 3 / 4 + (int)(random() % (CONNECTION_RETRY_MS / 2)));
    }
    return true;
}

/* Until it is known that the database is away a request waits for it, as it may be just restarting.
 * Afterwards one attempt must do, and only when it is time for one. */
static bool connect_first(struct connection *connection, int64_t deadline_us)
{
    if (connection->backoff.wait_ms == 0) {
        return connect_patiently(connection, deadline_us);
    }
    return clock_us() >= connection->backoff.next_us && connect_once(connection, deadline_us);
}

static void drop_session(struct connection *connection)
{
    session_close(connection->session);
    connection->session = NULL;
    connection->host++;
}

static void log_lost(const struct connection *connection, const struct statement *statement)
{
    const char *why = session_error(connection->session);

    log_message(LOG_WARNING, "database", "%s: session lost: %.*s",
                catalog_get(connection->catalog, statement->id)->name, (int)strcspn(why, "\n"),
                why);
}

/* What running a statement once came to, and what to do about it. */
static enum remedy run_once(struct connection *connection, const struct statement *statement,
                            int64_t deadline_us, struct result *result)
{
    *result = (struct result){.status = STATUS_DATABASE_UNAVAILABLE};
    switch (session_run(connection->session, statement, deadline_us, result)) {
    case SESSION_ANSWERED:
        return result->sqlstate[0] != '\0' ? sqlstate_verdict(result->sqlstate).remedy
                                           : REMEDY_NONE;
    case SESSION_LOST:
        log_lost(connection, statement);
        return REMEDY_RECONNECT;
    case SESSION_LATE:
        log_lost(connection, statement);
        /* Whatever it answers later must not be taken for the answer to another statement. */
        drop_session(connection);
        result->status = STATUS_DATABASE_TIMEOUT;
        break;
    }
    return REMEDY_NONE;
}

static void run(struct connection *connection, const struct statement *statement,
                int64_t deadline_us, struct result *result)
{
    int repeats = 0;
    int losses = 0;

    if (connection->session == NULL && !connect_first(connection, deadline_us)) {
        return;
    }
    for (;;) {
        switch (run_once(connection, statement, deadline_us, result)) {
        case REMEDY_NONE:
            return;
        case REMEDY_AGAIN:
            if (repeats++ == CONNECTION_REPEATS_MAX) {
                return;
            }
            break;
        case REMEDY_RECONNECT:
            drop_session(connection);
            if (losses++ == CONNECTION_RESENDS_MAX || !connect_patiently(connection, deadline_us)) {
                result->status = STATUS_DATABASE_UNAVAILABLE;
                return;
            }
            break;
        }
    }
}

static void log_statement(const struct connection *connection, const struct statement *statement,
                          const struct result *result)
{
    const char *const *names = catalog_parameters(statement->id);

    if (!log_wants(LOG_DEBUG)) {
        return;
    }
    struct log_line line = log_begin(LOG_DEBUG, "statement");
    log_string(&line, "template", catalog_get(connection->catalog, statement->id)->name);
    log_string(&line, "outcome", result->outcome);
    log_integer(&line, "rows", result->outcome != NULL);
    log_integer(&line, "bytes", (int64_t)result->body_length);
    log_milliseconds(&line, "ms", result->microseconds);
    log_string(&line, "sqlstate", result->sqlstate[0] != '\0' ? result->sqlstate : NULL);
    for (size_t i = 0; connection->settings->logs_values && names[i] != NULL; i++) {
        log_string(&line, names[i], statement->values[i]);
    }
    log_end(&line);
}

void connection_submit(struct connection *connection, const struct statement *statement,
                       statement_done *done, void *context)
{
    struct result result = {.status = STATUS_DATABASE_UNAVAILABLE};
    int64_t started_us = clock_us();
    int64_t deadline_us = started_us + connection->settings->deadline_ms * INT64_C(1000);

    run(connection, statement, deadline_us, &result);
    result.microseconds = clock_us() - started_us;
    log_statement(connection, statement, &result);
    done(context, &result);
    if (connection->session != NULL) {
        session_clear(connection->session);
    }
}
