/* Set-up is one or two statements with a Sync behind each, in one round trip; behind a pooler it
 * is none. A trial of all statements (trial.c) works in the same way: there is one Sync behind
 * each statement, and session->setting_up is the number of the statement that the next Sync
 * belongs to. The error that comes before a Sync is kept in session->refused until the Sync has
 * come.
 *
 * The second statement asks which server it is. It has a Sync of its own, so that a server that
 * does not let the role ask can be used nevertheless. */
#include <stdio.h>

#include "base/log.h"
#include "db/failure.h"
#include "db/session_private.h"
#include "db/sqlstate.h"
#include "db/statement.h"
#include "db/timelines.h"

static bool is_error(const PGresult *result)
{
    ExecStatusType kind = PQresultStatus(result);

    return kind != PGRES_TUPLES_OK && kind != PGRES_COMMAND_OK && kind != PGRES_PIPELINE_SYNC;
}

/* With is_local the settings end with the transaction, because behind a pooler other clients use
 * the session afterwards. */
bool session_send_begin(const struct session *session, bool is_local)
{
    char timeout[16];
    const char *values[] = {timeout, is_local ? "true" : "false"};
    const struct prepared *begin = catalog_get(session->catalog, &STATEMENT_SESSION_BEGIN);

    snprintf(timeout, sizeof timeout, "%d", session->settings->statement_timeout_ms);
    return PQsendQueryParams(session->pg, begin->sql, (int)begin->parameters, NULL, values, NULL,
                             NULL, 0);
}

/* Whether the session asks which server it is with. Behind a pooler it does not, because the
 * server changes. */
static bool wants_server(const struct session *session)
{
    const struct session_settings *settings = session->settings;

    return settings->prepares && (settings->timelines != NULL || settings->is_replica);
}

static bool send_server(const struct session *session)
{
    const struct prepared *server = catalog_get(session->catalog, &STATEMENT_SESSION_SERVER);

    return PQsendQueryParams(session->pg, server->sql, 0, NULL, NULL, NULL, NULL, 0) &&
           PQpipelineSync(session->pg);
}

bool set_up_send(const struct session *session)
{
    return PQsetnonblocking(session->pg, 1) == 0 && PQenterPipelineMode(session->pg) &&
           (!session->settings->prepares ||
            (session_send_begin(session, false) && PQpipelineSync(session->pg))) &&
           (!wants_server(session) || send_server(session));
}

size_t set_up_next(const struct session *session, size_t number)
{
    while (number < catalog_count(session->catalog) &&
           (statement_lanes(catalog_at(session->catalog, number)->def) &
            session->settings->lanes) == 0) {
        number++;
    }
    return number < catalog_count(session->catalog) ? number : NO_STATEMENT;
}

/* Whether the current answer is to the set-up's question which server it is, and not to the same
 * statement in a trial. */
static bool is_about_server(const struct session *session)
{
    return session->dial != NULL && session->setting_up == SERVER_STATEMENT;
}

static void take_server(struct session *session, const PGresult *row)
{
    int column = PQfnumber(row, "seen");

    if (PQntuples(row) == 1 && column >= 0 &&
        server_read(&session->server, PQgetvalue(row, 0, column)) &&
        session->settings->timelines != NULL) {
        session->timeline = timelines_note(session->settings->timelines, &session->server);
    }
}

/* If the statement about the server is refused, the set-up goes on: only the handling of failovers
 * lacks the answer. */
static void take_refusal(struct session *session, struct session_failure *failure)
{
    if (is_about_server(session)) {
        log_message(LOG_DEBUG, "database", "the server does not say which one it is: %s",
                    PQresultErrorMessage(session->refused));
    } else {
        failure_add_statement(failure, session->catalog, session->setting_up, session->refused);
        session->is_set_up_refused = true;
    }
    PQclear(session->refused);
    session->refused = NULL;
    session->prepared[session->setting_up] = false;
}

static size_t next_to_set_up(const struct session *session)
{
    if (session->dial != NULL) {
        return session->setting_up == BEGIN_STATEMENT && wants_server(session) ? SERVER_STATEMENT
                                                                               : NO_STATEMENT;
    }
    return set_up_next(session, session->setting_up + 1);
}

/* A Sync was reached: the statement before it is done. */
static void statement_is_set_up(struct session *session, struct session_failure *failure)
{
    if (session->refused != NULL) {
        take_refusal(session, failure);
    }
    session->setting_up = next_to_set_up(session);
}

bool set_up_read(struct session *session, size_t last, struct session_failure *failure)
{
    if (!session_receive(session)) {
        return false;
    }
    while (session->setting_up <= last && !PQisBusy(session->pg)) {
        PGresult *result = PQgetResult(session->pg);

        if (result == NULL) {
            if (PQstatus(session->pg) == CONNECTION_BAD) {
                return false;
            }
        } else if (PQresultStatus(result) == PGRES_PIPELINE_SYNC) {
            statement_is_set_up(session, failure);
        } else if (is_error(result)) {
            if (PQresultErrorField(result, PG_DIAG_SQLSTATE) == NULL) {
                PQclear(result);
                return false;
            }
            PQclear(session->refused);
            session->refused = result;
            continue;
        } else if (is_about_server(session)) {
            take_server(session, result);
        }
        PQclear(result);
    }
    return true;
}
