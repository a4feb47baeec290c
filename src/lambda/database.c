/* db/connection.h does the work, as in a worker: it replaces a lost session and sends the statement
 * again, and a statement whose deadline has passed writes nothing. This file adds the waiting, as
 * there is one statement at a time, and the secret. */
#include "lambda/database.h"

#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/counter.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/status.h"
#include "confirmation/confirmation.h"
#include "db/catalog.h"
#include "db/connection.h"
#include "lambda/environment.h"
#include "lambda/login.h"
#include "lambda/secret.h"

enum { SERVER_MARGIN_MS = 50 /* so that the server's answer comes in time */ };

struct database {
    const struct environment *environment;
    struct connection_settings settings;
    struct session_counts counts;
    struct catalog *catalog;
    struct connection *connection;
    int epoll_fd;
    struct buf login; /* settings.session.url points to it; empty: the secret is not fetched yet */
};

/* A statement that is being run. */
struct run {
    struct conclusion *conclusion;
    int64_t end_us;
    bool is_done;
    bool has_renewed; /* the secret was fetched anew */
    uint64_t failed;  /* failed attempts to connect up to that moment */
};

/* --- the login --- */

static bool set_login(struct database *database, const char *secret, struct error *error)
{
    struct buf login = {0};

    if (!login_write(database->environment->connection_url, secret, &login, error)) {
        buf_wipe(&login);
        return false;
    }
    buf_wipe(&database->login);
    database->login = login;
    database->settings.session.url = login.bytes;
    return true;
}

static bool fetch_login(struct database *database, int64_t end_us)
{
    struct buf secret = {0};
    struct error error;
    int64_t left_us = end_us - clock_us();

    bool good = secret_fetch(database->environment, left_us > 0 ? (int)(left_us / 1000) : 0,
                             &secret, &error) &&
                set_login(database, secret.bytes, &error);
    if (!good) {
        log_message(LOG_ERROR, "secret", "%s", error.text);
    }
    buf_wipe(&secret);
    return good;
}

/* --- making it --- */

static bool prepare_login(struct database *database, struct error *error)
{
    const struct environment *environment = database->environment;
    struct secret_place place;
    struct buf login = {0};

    if (environment->secret_arn == NULL) {
        return set_login(database, NULL, error);
    }
    bool good = secret_locate(environment->secret_arn, environment->endpoint, &place, error) &&
                login_write(environment->connection_url, NULL, &login, error);
    buf_wipe(&login);
    return good;
}

/* Statements are sent unprepared, so that each transaction has a time limit of its own, and the
 * server may be behind a pooler. */
static void set_settings(struct database *database)
{
    database->settings = (struct connection_settings){
        .session = {.application_name = LOGIN_APPLICATION_NAME,
                    .prepares = false,
                    .lanes = LANE_SET(LANE_HOOK),
                    .counts = &database->counts},
        .units_max = CONNECTION_UNPREPARED_UNITS_MAX,
    };
}

/* The new connection takes its patience from the deadline in the settings. */
static void begin_connection(struct database *database)
{
    database->settings.deadline_ms = DATABASE_PATIENCE_MS;
    database->connection =
        connection_new(&database->settings, database->catalog, database->epoll_fd, NULL);
}

struct database *database_new(const struct environment *environment, struct error *error)
{
    const struct statement_def *const statements[] = {&CONFIRMATION_STATEMENT, NULL};
    struct database *database = memory_zeroed(sizeof *database);

    database->environment = environment;
    set_settings(database);
    database->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (!prepare_login(database, error)) {
        database_free(database);
        return NULL;
    }
    database->catalog = catalog_load(environment->sql_dir.bytes, statements);
    if (database->catalog == NULL || database->epoll_fd < 0) {
        error_set(error, "the SQL templates below %s are not as they should be, see the log",
                  environment->sql_dir.bytes);
        database_free(database);
        return NULL;
    }
    begin_connection(database);
    return database;
}

void database_free(struct database *database)
{
    if (database == NULL) {
        return;
    }
    connection_free(database->connection);
    catalog_free(database->catalog);
    if (database->epoll_fd >= 0) {
        close(database->epoll_fd);
    }
    buf_wipe(&database->login);
    memory_free(database);
}

/* --- its use --- */

static int left_ms(int64_t end_us)
{
    int64_t left_us = end_us - clock_us();

    return left_us > 0 ? (int)((left_us + 999) / 1000) : 0;
}

/* Proceeds with a statement_timeout that ends before end_us, so that what is sent now writes
 * nothing after that. */
static void proceed_until(struct database *database, int64_t end_us, bool is_ready)
{
    int limit_ms = left_ms(end_us) - SERVER_MARGIN_MS;

    database->settings.session.statement_timeout_ms = limit_ms > 1 ? limit_ms : 1;
    connection_proceed(database->connection, is_ready);
}

/* Waits for the next event of the connection, but not past end_us. */
static void step(struct database *database, int64_t end_us)
{
    struct epoll_event event;
    int wait_ms = clock_sooner(connection_wait_ms(database->connection), left_ms(end_us));

    proceed_until(database, end_us, epoll_wait(database->epoll_fd, &event, 1, wait_ms) > 0);
}

void database_open(struct database *database, int time_ms)
{
    int64_t end_us = clock_us() + time_ms * INT64_C(1000);

    if (database->login.length == 0 && !fetch_login(database, end_us)) {
        return;
    }
    if (login_is_unverified(database->login.bytes)) {
        log_message(LOG_WARNING, "database",
                    "the server's certificate is not verified: sslmode is not verify-full");
    }
    connection_want(database->connection);
    proceed_until(database, end_us, false);
    while (!connection_is_ready(database->connection) &&
           connection_wait_ms(database->connection) >= 0 && clock_us() < end_us) {
        step(database, end_us);
    }
}

static const char *word_of(const struct result *result)
{
    switch (result->status) {
    case STATUS_OK:
        return result->outcome != NULL ? result->outcome : "generic_500";
    case STATUS_DATABASE_UNAVAILABLE:
        return "database_unavailable";
    case STATUS_DATABASE_TIMEOUT:
        return "database_timeout";
    case STATUS_MALFORMED_REQUEST:
        return "malformed_request";
    case STATUS_VALUE_REFUSED:
        return "value_refused";
    default:
        return "generic_500";
    }
}

static void set_conclusion(struct conclusion *conclusion, const char *word, const char *sqlstate)
{
    snprintf(conclusion->word, sizeof conclusion->word, "%s", word);
    snprintf(conclusion->sqlstate, sizeof conclusion->sqlstate, "%s", sqlstate);
}

static void take_conclusion(void *context, const struct result *result)
{
    struct run *run = context;

    run->is_done = true;
    set_conclusion(run->conclusion, word_of(result), result->sqlstate);
}

/* Whether an attempt since the last renewal was refused. */
static bool was_refused(const struct database *database, const struct run *run)
{
    return connection_is_refused(database->connection) &&
           (!run->has_renewed || counter_value(&database->counts.failed) > run->failed);
}

/* Fetches the secret again, since the password may have been changed. False: there is no other
 * login. */
static bool renew_login(struct database *database, struct run *run)
{
    if (database->environment->secret_arn == NULL || run->has_renewed) {
        set_conclusion(run->conclusion, "database_refused", "");
        return false;
    }
    run->has_renewed = true;
    run->failed = counter_value(&database->counts.failed);
    log_message(LOG_INFO, "secret", "the login was refused: fetching the secret anew");
    if (!fetch_login(database, run->end_us)) {
        set_conclusion(run->conclusion, "secret_unavailable", "");
        return false;
    }
    return true;
}

/* Forgets what was submitted. */
static void restart_connection(struct database *database)
{
    connection_free(database->connection);
    begin_connection(database);
}

/* A refused login ends the wait. The statement may have been sent on an earlier session, and be
 * done; the user pool's next event repeats it. */
static void wait_for_result(struct database *database, struct run *run)
{
    proceed_until(database, run->end_us, false);
    while (!run->is_done) {
        if (was_refused(database, run) && !renew_login(database, run)) {
            restart_connection(database);
            return;
        }
        step(database, run->end_us);
    }
}

void database_run(struct database *database, const struct statement *statement, int time_ms,
                  struct conclusion *conclusion)
{
    struct run run = {.conclusion = conclusion,
                      .end_us = statement->asked_us + time_ms * INT64_C(1000)};

    *conclusion = (struct conclusion){.word = ""};
    if (database->login.length == 0) {
        if (!fetch_login(database, run.end_us)) {
            set_conclusion(conclusion, "secret_unavailable", "");
            return;
        }
        run.has_renewed = true;
        run.failed = counter_value(&database->counts.failed);
    }
    if (!connection_is_ready(database->connection)) {
        /* The failed attempts were for an earlier event, maybe long ago. A new connection has the
         * whole patience for this event. */
        restart_connection(database);
    }
    database->settings.deadline_ms = time_ms;
    connection_submit(database->connection, statement, take_conclusion, &run);
    wait_for_result(database, &run);
}
