/* libpq's pipeline mode gives the results of all statements in the order in which they were sent,
 * and only counting shows which statement a result belongs to. So the invariant of this file is:
 * answered_to is the statement that libpq's next result belongs to, and units is the number of
 * Syncs that are not answered yet. Both change only in pipeline_send, pipeline_next and
 * pipeline_abandon.
 *
 * The results of a statement end with a NULL; those of a unit end with the result of its Sync. A
 * statement that a session runs for the first time has a prelude, the Parse message that prepares
 * it, whose results come first. Behind a pooler the first statement of a unit has a prelude, which
 * sets the transaction up. After an error the server skips the rest of the unit, and libpq gives
 * PGRES_PIPELINE_ABORTED for each skipped statement: these are no results, and the whole unit was
 * rolled back. */
#include "db/pipeline.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/status.h"
#include "db/catalog.h"
#include "db/failure.h"
#include "db/sqlstate.h"
#include "db/template.h"

void pipeline_forget(struct pending *pending)
{
    PQclear(pending->reply);
    pending->reply = NULL;
    pending->ends_unit = false;
    pending->has_prelude = false;
    pending->is_prepared = false;
    pending->is_unfit = false;
}

/* Sends what must come before a statement in the same transaction. That is the Parse message, when
 * this session runs the statement for the first time. Behind a pooler, where the session may be
 * another one each time, it is the whole set-up, before the first statement of a unit. */
static bool send_prelude(struct session *session, struct pending *pending, bool begins_unit)
{
    const struct prepared *prepared = pending->prepared;

    if (!session_settings(session)->prepares) {
        pending->has_prelude = begins_unit;
        return !begins_unit || session_send_begin(session, true);
    }
    if (session_has_prepared(session, prepared)) {
        return true;
    }
    pending->has_prelude = true;
    pending->is_prepared = true;
    session_note_prepared(session, prepared, true);
    return PQsendPrepare(session_pg(session), prepared->def->name, prepared->sql, 0, NULL);
}

/* Values are passed as text; PostgreSQL knows their types from the statement. not_after is the
 * last value to be set, because it depends on the clock of the server that this session is with. */
static bool send_statement(const struct session *session, struct pending *pending)
{
    const struct prepared *prepared = pending->prepared;
    const char *values[TEMPLATE_PARAMETERS_MAX];
    PGconn *pg = session_pg(session);
    int count = (int)prepared->parameters;

    memcpy(values, pending->statement->values, sizeof values);
    if (prepared->expires) {
        values[prepared->not_after] = pending->not_after;
    }
    pending->sent_us = clock_us();
    return session_settings(session)->prepares
               ? PQsendQueryPrepared(pg, prepared->def->name, count, values, NULL, NULL, 0)
               : PQsendQueryParams(pg, prepared->sql, count, NULL, values, NULL, NULL, 0);
}

bool pipeline_send(struct pipeline *pipeline, struct session *session, struct pending_list *unit)
{
    bool is_sent = true, is_first = true;
    struct pending *pending;

    while ((pending = pending_take(unit)) != NULL) {
        is_sent =
            is_sent && send_prelude(session, pending, is_first) && send_statement(session, pending);
        pending->ends_unit = unit->first == NULL;
        is_first = false;
        pending_append(&pipeline->sent, pending);
        if (pipeline->answered_to == NULL) {
            pipeline->answered_to = pending;
        }
    }
    pipeline->units++;
    return is_sent && PQpipelineSync(session_pg(session));
}

/* A statement has run only if its reply is no error, neither its own nor that of another statement
 * in its unit. */
static bool has_failed(const struct pending *pending)
{
    ExecStatusType kind = PQresultStatus(pending->reply);

    return kind != PGRES_TUPLES_OK && kind != PGRES_COMMAND_OK;
}

/* The Sync was answered: takes the statements of its unit out. */
static enum unit_state take_unit(struct pipeline *pipeline, struct pending_list *unit)
{
    enum unit_state state = UNIT_DONE;
    bool is_last;

    do {
        struct pending *pending = pending_take(&pipeline->sent);

        is_last = pending->ends_unit;
        state = has_failed(pending) ? UNIT_FAILED : state;
        pending_append(unit, pending);
    } while (!is_last);
    pipeline->answered_to = pipeline->sent.first;
    pipeline->units--;
    return state;
}

/* Whether the session cannot be used any more. Either libpq made this result itself, because it
 * has no connection. Or the server has begun a copy, which no statement asks for: libpq would then
 * return the same result for ever. */
static bool is_loss(const PGresult *result)
{
    switch (PQresultStatus(result)) {
    case PGRES_FATAL_ERROR:
        return PQresultErrorField(result, PG_DIAG_SQLSTATE) == NULL;
    case PGRES_COPY_IN:
    case PGRES_COPY_OUT:
    case PGRES_COPY_BOTH:
        log_message(LOG_ERROR, "database", "the server has begun a copy, unasked");
        return true;
    default:
        return false;
    }
}

/* The prelude's replies have ended. If one was an error, it stays as the statement's reply. */
static void end_prelude(struct session *session, struct pending *about)
{
    bool good = about->reply != NULL && !has_failed(about);

    about->has_prelude = false;
    if (about->is_prepared && !good) {
        session_note_prepared(session, about->prepared, false);
        about->is_unfit = PQresultStatus(about->reply) == PGRES_FATAL_ERROR;
    }
    if (good) {
        PQclear(about->reply);
        about->reply = NULL;
    }
}

/* Keeps the reason: the prelude's error, or else the last result. */
static void take_reply(struct pending *about, PGresult *reply)
{
    if (about->reply != NULL && PQresultStatus(reply) == PGRES_PIPELINE_ABORTED) {
        PQclear(reply); /* its prelude's error is the reason */
    } else {
        PQclear(about->reply);
        about->reply = reply;
    }
}

/* Continues where the last call has ended, because libpq may have given only a part of a unit's
 * results so far. */
enum unit_state pipeline_next(struct pipeline *pipeline, struct session *session,
                              struct pending_list *unit)
{
    PGconn *pg = session_pg(session);

    /* The end is known by our own count, because after a Sync no NULL marks the end of the
     * results. */
    while (pipeline->units > 0 && !PQisBusy(pg)) {
        struct pending *about = pipeline->answered_to;
        PGresult *reply = PQgetResult(pg);

        if (reply == NULL) {
            if (PQstatus(pg) == CONNECTION_BAD) {
                return UNIT_LOST;
            }
            /* The end of one statement's replies. What still comes before the Sync, such as an
             * error at commit, belongs to the unit's last statement. */
            if (about->has_prelude) {
                end_prelude(session, about);
            } else if (about->reply != NULL && !about->ends_unit) {
                pipeline->answered_to = about->next;
            }
        } else if (PQresultStatus(reply) == PGRES_PIPELINE_SYNC) {
            PQclear(reply);
            return take_unit(pipeline, unit);
        } else if (is_loss(reply)) {
            PQclear(reply);
            return UNIT_LOST;
        } else {
            take_reply(about, reply);
        }
    }
    return UNIT_NONE;
}

/* NULL for SQL's null and for a column that the statement does not have: statements leave out the
 * last columns that they do not need. */
static const char *value_at(const PGresult *rows, int column)
{
    return column >= PQnfields(rows) || PQgetisnull(rows, 0, column) ? NULL
                                                                     : PQgetvalue(rows, 0, column);
}

const char *pipeline_column(const struct pending *pending, const char *column)
{
    int number = PQntuples(pending->reply) > 0 ? PQfnumber(pending->reply, column) : -1;

    return number >= 0 ? value_at(pending->reply, number) : NULL;
}

/* Takes the other columns of a write: retry_after_s, if there is no room for it, and xid. */
static void take_write(const PGresult *rows, struct result *result)
{
    int retry_after_s = PQfnumber(rows, "retry_after_s"), xid = PQfnumber(rows, "xid");

    if (retry_after_s >= 0) { /* null is "" here */
        result->retry_after_s = atoi(PQgetvalue(rows, 0, retry_after_s));
    }
    if (xid >= 0) {
        result->xid = strtoull(PQgetvalue(rows, 0, xid), NULL, 10);
    }
}

/* Takes the columns of the one row: outcome and body, and after them a read's next_key, lives_us,
 * seen, clock_us and visibility, of which the last ones may be missing. */
static void take_row(const PGresult *rows, bool is_write, struct result *result)
{
    result->status = STATUS_OK;
    if (PQntuples(rows) == 0) {
        return;
    }
    result->outcome = value_at(rows, 0);
    result->body = value_at(rows, 1);
    result->body_length = (size_t)PQgetlength(rows, 0, 1);
    if (is_write) {
        take_write(rows, result);
        return;
    }
    result->next_key = value_at(rows, 2);
    const char *lives_us = value_at(rows, 3);
    result->lives_us = lives_us != NULL ? strtoll(lives_us, NULL, 10) : -1;
    result->seen = value_at(rows, 4);
    const char *clock_us = value_at(rows, 5);
    result->clock_us = clock_us != NULL ? strtoll(clock_us, NULL, 10) : 0;
    const char *visibility = value_at(rows, 6);
    result->visibility = visibility != NULL ? strtoll(visibility, NULL, 10) : 0;
}

static void take_error(const char *template_name, const PGresult *error, struct result *result)
{
    const char *sqlstate = PQresultErrorField(error, PG_DIAG_SQLSTATE);
    const char *said = PQresultErrorField(error, PG_DIAG_MESSAGE_PRIMARY);

    snprintf(result->sqlstate, sizeof result->sqlstate, "%s",
             sqlstate != NULL ? sqlstate : "08000");
    result->status = sqlstate_verdict(result->sqlstate).status;
    log_message(result->status == STATUS_INTERNAL ? LOG_ERROR : LOG_WARNING, "database",
                "%s: SQLSTATE %s: %s", template_name, result->sqlstate,
                sqlstate_quotes_values(result->sqlstate) || said == NULL ? "a value was refused"
                                                                         : said);
}

/* Logs once, by file and line, a statement that cannot be prepared, for example because a column
 * is missing, or that calls a function of the schema with such an error. Returns false if the
 * reason is another one, such as a lock on its tables. */
static bool take_unfit(struct session *session, const struct pending *pending,
                       struct result *result)
{
    const char *sqlstate = PQresultErrorField(pending->reply, PG_DIAG_SQLSTATE);

    if (sqlstate == NULL || sqlstate_verdict(sqlstate).status != STATUS_INTERNAL ||
        sqlstate_verdict(sqlstate).remedy != REMEDY_NONE) {
        return false;
    }
    snprintf(result->sqlstate, sizeof result->sqlstate, "%s", sqlstate);
    if (session_note_unfit(session, pending->prepared)) {
        char text[1024];

        failure_describe(session_catalog(session), pending->statement->def, pending->reply, text,
                         sizeof text);
        log_message(LOG_ERROR, "database", "the schema doesn't fit: %s", text);
    }
    return true;
}

bool pipeline_timed_out(const struct pending *pending)
{
    const char *sqlstate = PQresultErrorField(pending->reply, PG_DIAG_SQLSTATE);

    return sqlstate != NULL && sqlstate_verdict(sqlstate).status == STATUS_DATABASE_TIMEOUT;
}

/* After a change of a table's columns PostgreSQL 18 plans a prepared statement anew, but with the
 * old list of columns for a function that returns rows of the table: "too few column names for
 * subquery", SQLSTATE XX000. The text depends on the server's language, so the error is recognised
 * by its place in PostgreSQL's source, parse_relation.c. */
bool pipeline_is_outdated(const struct pending *pending)
{
    const char *sqlstate = PQresultErrorField(pending->reply, PG_DIAG_SQLSTATE);
    const char *source = PQresultErrorField(pending->reply, PG_DIAG_SOURCE_FILE);

    return sqlstate != NULL && strcmp(sqlstate, "XX000") == 0 && source != NULL &&
           strcmp(source, "parse_relation.c") == 0;
}

/* Whether a function that the statement calls lacks an object. The error's context names the
 * function. */
static bool misses_object(const struct pending *pending)
{
    return has_failed(pending) && PQresultErrorField(pending->reply, PG_DIAG_CONTEXT) != NULL &&
           sqlstate_is_missing_object(PQresultErrorField(pending->reply, PG_DIAG_SQLSTATE));
}

void pipeline_result(struct session *session, const struct pending *pending, struct result *result)
{
    *result = (struct result){.status = STATUS_DATABASE_UNAVAILABLE};
    if ((pending->is_unfit || misses_object(pending)) && take_unfit(session, pending, result)) {
        return;
    }
    if (has_failed(pending)) {
        take_error(pending->statement->def->name, pending->reply, result);
    } else {
        take_row(pending->reply, pending->prepared->expires, result);
    }
}

/* Replies that have come are forgotten with the session: their Sync was not answered, so they
 * prove nothing. */
void pipeline_abandon(struct pipeline *pipeline, struct pending_list *unanswered)
{
    for (struct pending *pending = pipeline->sent.first; pending != NULL; pending = pending->next) {
        pipeline_forget(pending);
        pending->may_be_done = pending->may_be_done || pending_expires(pending);
    }
    pending_put_back(unanswered, &pipeline->sent);
    *pipeline = (struct pipeline){0};
}
