#include "db/connection.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "db/backoff.h"
#include "db/sqlstate.h"

enum { LOG_FAILURE_MS = 60000 };

struct connection {
    const struct connection_settings *settings;
    const struct catalog *catalog;
    struct pending_list queue; /* to be sent, in the order in which they came */
    struct pipeline pipeline;  /* of a ready session; what was sent on it */
    struct session *session;   /* NULL while there is none */
    bool is_ready;             /* else it is still connecting */
    bool has_served;           /* a unit of it was answered */
    unsigned host;             /* which of several hosts to try first */
    int64_t attempt_end_us;    /* of the attempt to connect */
    int64_t away_since_us;     /* the first attempt that failed; 0: the last one didn't */
    struct backoff backoff;
    struct session_failure failure; /* of the last attempt */
    bool is_logged;                 /* that there is no session */
    bool is_unfit;                  /* because the schema doesn't fit */
    int64_t logged_ms;
    int epoll_fd;
    int watched_fd; /* -1: none */
    uint32_t watched_events;
};

struct connection *connection_new(const struct connection_settings *settings,
                                  const struct catalog *catalog, int epoll_fd)
{
    struct connection *connection = memory_zeroed(sizeof *connection);

    connection->settings = settings;
    connection->catalog = catalog;
    connection->epoll_fd = epoll_fd;
    connection->watched_fd = -1;
    return connection;
}

void connection_free(struct connection *connection)
{
    struct pending *pending;

    if (connection == NULL) {
        return;
    }
    pipeline_abandon(&connection->pipeline, &connection->queue);
    while ((pending = pending_take(&connection->queue)) != NULL) {
        memory_free(pending);
    }
    session_close(connection->session);
    memory_free(connection);
}

/* --- the socket in the epoll set --- */

static void unwatch(struct connection *connection)
{
    if (connection->watched_fd >= 0) {
        epoll_ctl(connection->epoll_fd, EPOLL_CTL_DEL, connection->watched_fd, NULL);
        connection->watched_fd = -1;
    }
}

static uint32_t wanted_events(const struct connection *connection)
{
    return session_wants_to_write(connection->session) ? EPOLLIN | EPOLLOUT : EPOLLIN;
}

/* After anything that may have changed what there is to wait for. */
static void watch(struct connection *connection)
{
    struct epoll_event event = {.data.ptr = connection};

    if (connection->epoll_fd < 0 || connection->session == NULL) {
        return;
    }
    event.events = wanted_events(connection);
    bool is_watched = connection->watched_fd >= 0;
    if (is_watched && connection->watched_events == event.events) {
        return;
    }
    connection->watched_fd = session_fd(connection->session);
    connection->watched_events = event.events;
    if (epoll_ctl(connection->epoll_fd, is_watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD,
                  connection->watched_fd, &event) != 0) {
        log_errno(LOG_ERROR, "database", "epoll_ctl");
    }
}

/* --- results --- */

static void log_statement(const struct connection *connection, const struct statement *statement,
                          const struct result *result)
{
    const char *const *names = catalog_parameters(statement->id);

    if (!log_wants(LOG_DEBUG) || statement->id == STATEMENT_SESSION_SNAPSHOT /* too many */) {
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

/* Hands the result over. The statement is on no list any more. */
static void complete(struct connection *connection, struct pending *pending, struct result *result)
{
    result->microseconds = clock_us() - pending->submitted_us;
    log_statement(connection, pending->statement, result);
    pending->done(pending->context, result);
    pipeline_forget(pending);
    memory_free(pending);
}

static void complete_without(struct connection *connection, struct pending *pending,
                             enum status status)
{
    struct result result = {.status = status};

    complete(connection, pending, &result);
}

/* What is queued fails. What its callbacks submit is not meant. */
static void fail_queue(struct connection *connection)
{
    struct pending_list failing = connection->queue;
    struct pending *pending;

    connection->queue = (struct pending_list){0};
    while ((pending = pending_take(&failing)) != NULL) {
        complete_without(connection, pending, STATUS_DATABASE_UNAVAILABLE);
    }
}

static void put_back(struct connection *connection, struct pending *pending)
{
    struct pending_list one = {0};

    pipeline_forget(pending);
    pending_append(&one, pending);
    pending_put_back(&connection->queue, &one);
}

/* --- the session --- */

/* What was sent is to be sent again. Whatever the old session answers later must not be taken for an
 * answer to something else. */
static void drop_session(struct connection *connection)
{
    unwatch(connection);
    session_close(connection->session);
    connection->session = NULL;
    connection->is_ready = false;
    connection->host++;
    pipeline_abandon(&connection->pipeline, &connection->queue);
}

/* The same, as it is of no use. After one that never was of any the next attempt has to wait: a
 * server that crashes takes new sessions for a moment before it ends them all. */
static void drop_useless_session(struct connection *connection)
{
    drop_session(connection);
    if (!connection->has_served) {
        connection->backoff.next_us = clock_us() + CONNECTION_RETRY_MS * INT64_C(1000);
    }
}

/* The first unit of what was sent is what the server was at when the session was lost. Of several
 * statements each gets a unit of its own, as it isn't said which one it was; a single one has had its
 * chances when that has happened too often. */
static bool has_had_its_chances(struct pending *running)
{
    if (running->ends_unit) {
        return running->losses++ == CONNECTION_RESENDS_MAX;
    }
    for (struct pending *pending = running; pending != NULL; pending = pending->next) {
        pending->runs_alone = true;
        if (pending->ends_unit) {
            break;
        }
    }
    return false;
}

static void lose_session(struct connection *connection)
{
    struct pending *running = connection->pipeline.sent.first;
    const char *why = session_error(connection->session);

    log_message(running != NULL ? LOG_WARNING : LOG_INFO, "database", "%s: session lost: %.*s",
                running != NULL ? catalog_get(connection->catalog, running->statement->id)->name
                                : "idle",
                (int)strcspn(why, "\n"), why);
    bool is_given_up = running != NULL && has_had_its_chances(running);
    drop_useless_session(connection);
    if (is_given_up) {
        pending_remove(&connection->queue, running);
        complete_without(connection, running, STATUS_DATABASE_UNAVAILABLE);
    }
}

/* One line a minute; one more when what is wrong is no longer the way to the database but its schema,
 * or the other way round. */
static void log_failure(struct connection *connection)
{
    const struct session_failure *failure = &connection->failure;
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

/* Whether it is known that there is no database for the time being: what comes needn't wait. */
static bool is_away(const struct connection *connection, int64_t now_us)
{
    return connection->away_since_us != 0 &&
           (connection->failure.is_unfit /* which no waiting mends */ ||
            now_us - connection->away_since_us >=
                connection->settings->deadline_ms * INT64_C(1000));
}

static void attempt_failed(struct connection *connection)
{
    int64_t now_us = clock_us();

    drop_session(connection);
    if (connection->away_since_us == 0) {
        connection->away_since_us = now_us;
    }
    bool is_known = is_away(connection, now_us);
    backoff_failed(&connection->backoff, now_us, is_known ? BACKOFF_MAX_MS : CONNECTION_RETRY_MS,
                   (uint32_t)random());
    log_failure(connection);
    if (is_known) {
        fail_queue(connection);
    }
}

static void attempt_succeeded(struct connection *connection)
{
    if (connection->is_logged) {
        log_message(LOG_INFO, "database", "connected again");
        connection->is_logged = false;
    }
    backoff_succeeded(&connection->backoff);
    connection->away_since_us = 0;
    connection->is_ready = true;
    connection->has_served = false;
    connection->pipeline.session = connection->session;
}

/* With something to send and no session, begins to connect when it is time for that. */
static void connect_if_due(struct connection *connection)
{
    int64_t now_us = clock_us();

    if (connection->session != NULL || connection->queue.first == NULL ||
        now_us < connection->backoff.next_us) {
        return;
    }
    connection->attempt_end_us = now_us + CONNECTION_CONNECT_MS * INT64_C(1000);
    connection->session = session_start(&connection->settings->session, connection->catalog,
                                        connection->host, &connection->failure);
    if (connection->session == NULL) {
        attempt_failed(connection);
    }
}

static void go_on_connecting(struct connection *connection)
{
    unwatch(connection); /* the socket may change, behind the same number even */
    switch (session_advance(connection->session, &connection->failure)) {
    case SESSION_READY:
        attempt_succeeded(connection);
        break;
    case SESSION_FAILED:
        attempt_failed(connection);
        break;
    case SESSION_CONNECTING:
        break;
    }
}

/* --- what comes back --- */

static void unit_done(struct connection *connection, struct pending_list *unit, bool was_warned)
{
    struct pending *pending;

    connection->has_served = true;
    while ((pending = pending_take(unit)) != NULL) {
        struct result result;

        pipeline_result(&connection->pipeline, pending, &result);
        if (was_warned) {
            result.status = STATUS_DATABASE_UNAVAILABLE; /* not acknowledged */
        }
        complete(connection, pending, &result);
    }
}

/* One statement's error: there is a remedy, or it is the answer. */
static void statement_failed(struct connection *connection, struct pending *pending)
{
    struct result result;

    pipeline_result(&connection->pipeline, pending, &result);
    switch (sqlstate_verdict(result.sqlstate).remedy) {
    case REMEDY_AGAIN:
        if (pending->repeats++ < CONNECTION_REPEATS_MAX) {
            put_back(connection, pending);
            return;
        }
        break;
    case REMEDY_RECONNECT:
        drop_useless_session(connection);
        if (pending->losses++ < CONNECTION_RESENDS_MAX) {
            put_back(connection, pending);
            return;
        }
        result.status = STATUS_DATABASE_UNAVAILABLE;
        break;
    case REMEDY_NONE:
        break;
    }
    complete(connection, pending, &result);
}

/* All of the unit was rolled back. Of several each gets a unit of its own, as it isn't said that the
 * others would fail too; but not the one that took so long that for another try there is no time. */
static void unit_failed(struct connection *connection, struct pending_list *unit)
{
    bool is_shared = unit->count > 1;
    struct pending *pending;

    while ((pending = pending_take(unit)) != NULL) {
        if (!is_shared || pipeline_timed_out(pending)) {
            statement_failed(connection, pending);
        } else {
            pending->runs_alone = true;
            put_back(connection, pending);
        }
    }
}

static void receive(struct connection *connection)
{
    bool is_alive = session_receive(connection->session);

    /* What came before a loss still counts. */
    while (connection->is_ready) {
        struct pending_list unit = {0};

        switch (pipeline_next(&connection->pipeline, &unit)) {
        case UNIT_DONE:
            unit_done(connection, &unit, session_take_warning(connection->session));
            continue;
        case UNIT_FAILED:
            session_take_warning(connection->session);
            unit_failed(connection, &unit);
            continue;
        case UNIT_NONE:
            if (is_alive) {
                return;
            }
            break;
        case UNIT_LOST:
            break;
        }
        lose_session(connection);
    }
}

/* --- what goes out --- */

static bool may_share(const struct connection *connection, const struct pending *pending)
{
    return catalog_get(connection->catalog, pending->statement->id)->may_share &&
           !pending->runs_alone;
}

/* The statements to be sent next. */
static void next_unit(struct connection *connection, struct pending_list *unit)
{
    bool shares = may_share(connection, connection->queue.first);

    do {
        pending_append(unit, pending_take(&connection->queue));
    } while (shares && unit->count < CONNECTION_BATCH_MAX && connection->queue.first != NULL &&
             may_share(connection, connection->queue.first));
}

static void send_queue(struct connection *connection)
{
    bool is_alive = true;

    while (is_alive && connection->queue.first != NULL &&
           connection->pipeline.units < connection->settings->units_max) {
        struct pending_list unit = {0};

        next_unit(connection, &unit);
        is_alive = pipeline_send(&connection->pipeline, &unit);
    }
    if (!is_alive || !session_flush(connection->session)) {
        lose_session(connection);
    }
}

/* --- deadlines --- */

static int64_t deadline_of(const struct connection *connection, const struct pending *pending)
{
    return pending->submitted_us + connection->settings->deadline_ms * INT64_C(1000);
}

/* The oldest of what was sent; that needn't be the first, as some are sent again. */
static struct pending *oldest_sent(const struct connection *connection)
{
    struct pending *oldest = connection->pipeline.sent.first;

    for (struct pending *pending = oldest; pending != NULL; pending = pending->next) {
        oldest = pending->submitted_us < oldest->submitted_us ? pending : oldest;
    }
    return oldest;
}

/* The server doesn't answer in time. The others may have better luck with another session. */
static void expire_sent(struct connection *connection, int64_t now_us)
{
    struct pending *late = oldest_sent(connection);

    if (late == NULL || deadline_of(connection, late) > now_us) {
        return;
    }
    log_message(LOG_WARNING, "database", "%s: session lost: no answer in time",
                catalog_get(connection->catalog, late->statement->id)->name);
    drop_session(connection);
    pending_remove(&connection->queue, late);
    complete_without(connection, late, STATUS_DATABASE_TIMEOUT);
}

static void expire(struct connection *connection)
{
    int64_t now_us = clock_us();

    if (connection->session != NULL && !connection->is_ready &&
        now_us >= connection->attempt_end_us) {
        strcpy(connection->failure.text, "no answer in time");
        attempt_failed(connection);
    }
    expire_sent(connection, now_us);
    while (connection->queue.first != NULL &&
           deadline_of(connection, connection->queue.first) <= now_us) {
        complete_without(connection, pending_take(&connection->queue), STATUS_DATABASE_UNAVAILABLE);
    }
}

/* --- what the worker calls --- */

static bool is_refused(const struct connection *connection)
{
    int64_t now_us = clock_us();

    if (connection->is_ready || !is_away(connection, now_us)) {
        return connection->queue.count >= CONNECTION_QUEUE_MAX;
    }
    return connection->queue.count >= CONNECTION_AWAY_MAX ||
           (connection->session == NULL && now_us < connection->backoff.next_us);
}

void connection_submit(struct connection *connection, const struct statement *statement,
                       statement_done *done, void *context)
{
    struct pending *pending = memory_zeroed(sizeof *pending);

    *pending = (struct pending){
        .statement = statement, .done = done, .context = context, .submitted_us = clock_us()};
    if (is_refused(connection)) {
        complete_without(connection, pending, STATUS_DATABASE_UNAVAILABLE);
    } else {
        pending_append(&connection->queue, pending);
    }
}

bool connection_cancel(struct connection *connection, const void *context)
{
    for (struct pending *pending = connection->queue.first; pending != NULL;
         pending = pending->next) {
        if (pending->context == context) {
            pending_remove(&connection->queue, pending);
            memory_free(pending);
            return true;
        }
    }
    return false;
}

void connection_proceed(struct connection *connection, bool is_ready)
{
    if (is_ready && connection->session != NULL) {
        if (connection->is_ready) {
            receive(connection);
        } else {
            go_on_connecting(connection);
        }
    }
    expire(connection);
    connect_if_due(connection);
    if (connection->is_ready) {
        send_queue(connection);
    }
    watch(connection);
}

static bool is_idle(const struct connection *connection)
{
    return connection->queue.first == NULL && connection->pipeline.sent.first == NULL;
}

int connection_wait_ms(const struct connection *connection)
{
    int64_t first = INT64_MAX;

    if (connection->session != NULL && !connection->is_ready) {
        first = connection->attempt_end_us;
    } else if (is_idle(connection)) {
        return -1;
    }
    for (int i = 0; i < 2; i++) {
        const struct pending *oldest = i == 0 ? connection->queue.first : oldest_sent(connection);

        if (oldest != NULL && deadline_of(connection, oldest) < first) {
            first = deadline_of(connection, oldest);
        }
    }
    if (connection->session == NULL && connection->backoff.next_us < first) {
        first = connection->backoff.next_us;
    }
    int64_t left_us = first - clock_us();
    return left_us > 0 ? (int)((left_us + 999) / 1000) : 0;
}

void connection_finish(struct connection *connection)
{
    connection_proceed(connection, false);
    while (!is_idle(connection)) {
        int64_t until_us = clock_us() + connection_wait_ms(connection) * INT64_C(1000);
        bool is_ready = false;

        if (connection->session != NULL) {
            is_ready = session_wait(connection->session, until_us);
        } else {
            poll(NULL, 0, connection_wait_ms(connection));
        }
        connection_proceed(connection, is_ready);
    }
}

bool connection_fits(struct connection *connection)
{
    int64_t deadline_us = clock_us() + CONNECTION_CONNECT_MS * INT64_C(1000);

    connection->session = session_open(&connection->settings->session, connection->catalog,
                                       connection->host, deadline_us, &connection->failure);
    if (connection->session == NULL) {
        attempt_failed(connection);
        return !connection->is_unfit;
    }
    attempt_succeeded(connection);
    if (!session_may_run_all(connection->session, deadline_us, &connection->failure)) {
        log_failure(connection);
        drop_session(connection); /* answers to that may still come */
        return !connection->failure.is_unfit;
    }
    watch(connection);
    return true;
}
