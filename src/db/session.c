#include "db/session.h"

#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "db/conninfo.h"
#include "db/sqlstate.h"

struct session {
    PGconn *pg;
    const struct session_settings *settings;
    const struct catalog *catalog;
    PGresult *result; /* the one whose text was given out */
    bool was_warned;  /* the server sent a warning with the statement that runs */
};

/* Waits for the socket. False at the deadline. */
static bool wait_for(const struct session *session, short events, int64_t deadline_us)
{
    struct pollfd waiting = {.fd = PQsocket(session->pg), .events = events};

    for (;;) {
        int64_t left_us = deadline_us - clock_us();
        if (left_us <= 0) {
            return false;
        }
        int ready = poll(&waiting, 1, (int)((left_us + 999) / 1000));
        if (ready > 0 || (ready < 0 && errno != EINTR)) {
            return true; /* an error shows in the next call of libpq */
        }
    }
}

/* The next result; *result is NULL when the statement has no more of them. */
static enum session_answer next_result(struct session *session, int64_t deadline_us,
                                       PGresult **result)
{
    *result = NULL;
    for (;;) {
        int unsent = PQflush(session->pg);

        if (unsent < 0) {
            return SESSION_LOST;
        }
        if (unsent == 0 && !PQisBusy(session->pg)) {
            break;
        }
        if (!wait_for(session, unsent > 0 ? POLLIN | POLLOUT : POLLIN, deadline_us)) {
            return SESSION_LATE;
        }
        if (!PQconsumeInput(session->pg)) {
            return SESSION_LOST;
        }
    }
    *result = PQgetResult(session->pg);
    return SESSION_ANSWERED;
}

static bool is_error(const PGresult *result)
{
    ExecStatusType kind = PQresultStatus(result);

    return kind != PGRES_TUPLES_OK && kind != PGRES_COMMAND_OK && kind != PGRES_PIPELINE_SYNC;
}

/* A warning with a result: of our statements only the one that a wait for the synchronous standby
 * was cut short. The row may then be lost in a failover, so it is not acknowledged. */
static void note_notice(void *context, const PGresult *notice)
{
    struct session *session = context;
    const char *severity = PQresultErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED);

    session->was_warned |= severity != NULL && strcmp(severity, "WARNING") == 0;
    log_message(session->was_warned ? LOG_WARNING : LOG_DEBUG, "database", "%s: %s",
                severity != NULL ? severity : "notice",
                PQresultErrorField(notice, PG_DIAG_MESSAGE_PRIMARY));
}

static bool fail(struct session_failure *failure, const char *text)
{
    size_t length = strlen(text);

    while (length > 0 && text[length - 1] == '\n') {
        length--;
    }
    snprintf(failure->text, sizeof failure->text, "%.*s", (int)length, text);
    for (char *c = failure->text; *c != '\0'; c++) {
        *c = *c == '\n' || *c == '\t' ? ' ' : *c;
    }
    return false;
}

static bool start_connect(struct session *session, unsigned first_host,
                          struct session_failure *failure)
{
    const struct session_settings *settings = session->settings;
    struct conninfo conninfo;
    struct buf url = {0};
    char parse_failure[256];
    const char *why;
    bool good = false;

    if (settings->url != NULL) {
        buf_text(&url, settings->url);
    } else if (!file_read_secret(settings->url_file, &url, &why)) {
        fail(failure, why);
        goto cleanup;
    }
    if (!conninfo_parse(url.length > 0 ? url.bytes : "", settings->application_name, first_host,
                        &conninfo, parse_failure)) {
        fail(failure, parse_failure);
        goto cleanup;
    }
    session->pg = PQconnectStartParams((const char *const *)conninfo.keywords,
                                       (const char *const *)conninfo.values, 0);
    conninfo_release(&conninfo);
    if (session->pg != NULL) {
        PQsetNoticeReceiver(session->pg, note_notice, session);
    }
    good = session->pg != NULL || fail(failure, "out of memory");
cleanup:
    buf_release(&url);
    return good;
}

static bool finish_connect(struct session *session, int64_t deadline_us,
                           struct session_failure *failure)
{
    PostgresPollingStatusType next = PGRES_POLLING_WRITING;

    if (PQstatus(session->pg) == CONNECTION_BAD) {
        return fail(failure, PQerrorMessage(session->pg));
    }
    while (next != PGRES_POLLING_OK) {
        if (!wait_for(session, next == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline_us)) {
            return fail(failure, "no answer in time");
        }
        next = PQconnectPoll(session->pg);
        if (next == PGRES_POLLING_FAILED) {
            return fail(failure, PQerrorMessage(session->pg));
        }
    }
    return PQsetnonblocking(session->pg, 1) == 0 || fail(failure, PQerrorMessage(session->pg));
}

/* Reads results up to the end of one pipelined statement; the last error among them, if any, is
 * left in *error for the caller to clear. */
static enum session_answer read_until_sync(struct session *session, int64_t deadline_us,
                                           PGresult **error)
{
    bool synced = false;

    *error = NULL;
    while (!synced) {
        PGresult *result;
        enum session_answer answer = next_result(session, deadline_us, &result);

        if (answer != SESSION_ANSWERED) {
            PQclear(*error);
            *error = NULL;
            return answer;
        }
        synced = PQresultStatus(result) == PGRES_PIPELINE_SYNC;
        if (result != NULL && is_error(result)) {
            PQclear(*error);
            *error = result;
        } else {
            PQclear(result); /* NULL ends one statement's results and is allowed */
        }
    }
    return SESSION_ANSWERED;
}

/* Adds a line for a statement that the database refuses. */
static void note_refused(const struct session *session, enum statement_id id, const PGresult *error,
                         struct session_failure *failure)
{
    const char *position = PQresultErrorField(error, PG_DIAG_STATEMENT_POSITION);
    size_t used = strlen(failure->text);

    const char *sqlstate = PQresultErrorField(error, PG_DIAG_SQLSTATE);

    snprintf(failure->text + used, sizeof failure->text - used, "%s%s: %s (SQLSTATE %s)",
             used > 0 ? "\n" : "",
             catalog_place(session->catalog, id, position != NULL ? atoi(position) : 0),
             PQresultErrorField(error, PG_DIAG_MESSAGE_PRIMARY), sqlstate);
    if (sqlstate_verdict(sqlstate).status == STATUS_INTERNAL) {
        failure->is_unfit = true; /* not just a server that shuts down, say */
    }
}

static bool send_set_up(struct session *session)
{
    char timeout[16];
    const char *values[] = {timeout};
    const struct prepared *begin = catalog_get(session->catalog, STATEMENT_SESSION_BEGIN);

    snprintf(timeout, sizeof timeout, "%d", session->settings->statement_timeout_ms);
    if (!PQenterPipelineMode(session->pg)) {
        return false;
    }
    /* A session of a pooler in transaction mode isn't ours to set up. */
    if (session->settings->prepares &&
        (!PQsendQueryParams(session->pg, begin->sql, (int)begin->parameters, NULL, values, NULL,
                            NULL, 0) ||
         !PQpipelineSync(session->pg))) {
        return false;
    }
    for (enum statement_id id = STATEMENT_SESSION_BEGIN + 1; id < STATEMENT_COUNT; id++) {
        const struct prepared *statement = catalog_get(session->catalog, id);
        const char *name = session->settings->prepares ? statement->name : "";

        /* A Sync each, so that one statement's error doesn't hide the next one's. */
        if (!PQsendPrepare(session->pg, name, statement->sql, 0, NULL) ||
            !PQpipelineSync(session->pg)) {
            return false;
        }
    }
    return true;
}

const char *session_error(const struct session *session)
{
    const char *text = PQerrorMessage(session->pg);

    return *text != '\0' ? text : "no answer in time";
}

/* Session settings and all statements in one round trip. */
static bool set_up(struct session *session, int64_t deadline_us, struct session_failure *failure)
{
    failure->text[0] = '\0';
    if (!send_set_up(session)) {
        return fail(failure, PQerrorMessage(session->pg));
    }
    for (enum statement_id id = STATEMENT_SESSION_BEGIN; id < STATEMENT_COUNT; id++) {
        PGresult *error;

        if (id == STATEMENT_SESSION_BEGIN && !session->settings->prepares) {
            continue;
        }
        if (read_until_sync(session, deadline_us, &error) != SESSION_ANSWERED) {
            return fail(failure, session_error(session));
        }
        if (error != NULL) {
            note_refused(session, id, error, failure);
            PQclear(error);
        }
    }
    return failure->text[0] == '\0' &&
           (PQexitPipelineMode(session->pg) || fail(failure, PQerrorMessage(session->pg)));
}

struct session *session_open(const struct session_settings *settings, const struct catalog *catalog,
                             unsigned first_host, int64_t deadline_us,
                             struct session_failure *failure)
{
    struct session *session = memory_zeroed(sizeof *session);

    session->settings = settings;
    session->catalog = catalog;
    if (start_connect(session, first_host, failure) &&
        finish_connect(session, deadline_us, failure) && set_up(session, deadline_us, failure)) {
        return session;
    }
    session_close(session);
    return NULL;
}

void session_close(struct session *session)
{
    if (session != NULL) {
        PQclear(session->result);
        PQfinish(session->pg);
        memory_free(session);
    }
}

void session_clear(struct session *session)
{
    PQclear(session->result);
    session->result = NULL;
}

static int send_statement(struct session *session, const struct statement *statement)
{
    const struct prepared *prepared = catalog_get(session->catalog, statement->id);
    int count = (int)prepared->parameters;

    return session->settings->prepares ? PQsendQueryPrepared(session->pg, prepared->name, count,
                                                             statement->values, NULL, NULL, 0)
                                       : PQsendQueryParams(session->pg, prepared->sql, count, NULL,
                                                           statement->values, NULL, NULL, 0);
}

static const char *value_at(const PGresult *rows, int column)
{
    return PQgetisnull(rows, 0, column) ? NULL : PQgetvalue(rows, 0, column);
}

/* From the one row (outcome, body, next_key); the last is not there for SHAPE_OUTCOME. */
static void take_row(const PGresult *rows, struct result *result)
{
    result->status = STATUS_OK;
    if (PQntuples(rows) == 0) {
        return;
    }
    result->outcome = value_at(rows, 0);
    result->body = value_at(rows, 1);
    result->body_length = (size_t)PQgetlength(rows, 0, 1);
    result->next_key = PQnfields(rows) > 2 ? value_at(rows, 2) : NULL;
}

static void take_error(const struct session *session, const struct statement *statement,
                       const PGresult *error, struct result *result)
{
    const char *sqlstate = PQresultErrorField(error, PG_DIAG_SQLSTATE);

    snprintf(result->sqlstate, sizeof result->sqlstate, "%s",
             sqlstate != NULL ? sqlstate : "08000");
    result->status = sqlstate_verdict(result->sqlstate).status;
    log_message(result->status == STATUS_INTERNAL ? LOG_ERROR : LOG_WARNING, "database",
                "%s: SQLSTATE %s: %s", catalog_get(session->catalog, statement->id)->name,
                result->sqlstate,
                sqlstate_quotes_values(result->sqlstate)
                    ? "a value was refused"
                    : PQresultErrorField(error, PG_DIAG_MESSAGE_PRIMARY));
}

/* Keeps the last result up to the closing NULL: an error at commit comes behind the rows. */
static enum session_answer read_to_end(struct session *session, int64_t deadline_us)
{
    for (;;) {
        PGresult *next;
        enum session_answer answer = next_result(session, deadline_us, &next);

        if (answer != SESSION_ANSWERED) {
            return answer;
        }
        if (next == NULL) {
            return session->result != NULL ? SESSION_ANSWERED : SESSION_LOST;
        }
        PQclear(session->result);
        session->result = next;
    }
}

/* Plans a statement as it would be run, which checks the rights to it. */
static enum session_answer explain(struct session *session, enum statement_id id,
                                   int64_t deadline_us)
{
    const struct prepared *statement = catalog_get(session->catalog, id);
    struct buf sql = {0};

    buf_printf(&sql, "explain execute \"%s\"", statement->name);
    for (size_t i = 0; i < statement->parameters; i++) {
        buf_printf(&sql, "%snull", i == 0 ? "(" : ", ");
    }
    buf_text(&sql, statement->parameters > 0 ? ")" : "");
    session_clear(session);
    bool is_sent = PQsendQuery(session->pg, sql.bytes);
    buf_release(&sql);
    return is_sent ? read_to_end(session, deadline_us) : SESSION_LOST;
}

bool session_may_run_all(struct session *session, int64_t deadline_us,
                         struct session_failure *failure)
{
    for (enum statement_id id = STATEMENT_SESSION_BEGIN + 1;
         id < STATEMENT_COUNT && session->settings->prepares; id++) {
        if (explain(session, id, deadline_us) != SESSION_ANSWERED) {
            return fail(failure, session_error(session));
        }
        if (is_error(session->result)) {
            note_refused(session, id, session->result, failure);
        }
    }
    return failure->text[0] == '\0';
}

enum session_answer session_run(struct session *session, const struct statement *statement,
                                int64_t deadline_us, struct result *result)
{
    session_clear(session);
    session->was_warned = false;
    if (!send_statement(session, statement)) {
        return SESSION_LOST;
    }
    enum session_answer answer = read_to_end(session, deadline_us);
    if (answer != SESSION_ANSWERED) {
        return answer;
    }
    if (is_error(session->result)) {
        if (PQstatus(session->pg) == CONNECTION_BAD &&
            PQresultErrorField(session->result, PG_DIAG_SQLSTATE) == NULL) {
            return SESSION_LOST;
        }
        take_error(session, statement, session->result, result);
    } else {
        take_row(session->result, result);
        if (session->was_warned) {
            result->status = STATUS_DATABASE_UNAVAILABLE;
        }
    }
    return SESSION_ANSWERED;
}
