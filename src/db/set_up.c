/* Set-up is one statement and one Sync, so one round trip. A trial of all statements (trial.c)
 * goes the same way: one Sync behind each of them, and session->setting_up says which statement
 * the next Sync is of. The error that comes before a Sync is kept in session->refused until the
 * Sync has come. */
#include <stdio.h>

#include "db/failure.h"
#include "db/session_private.h"
#include "db/sqlstate.h"
#include "db/statement.h"

static bool is_error(const PGresult *result)
{
    ExecStatusType kind = PQresultStatus(result);

    return kind != PGRES_TUPLES_OK && kind != PGRES_COMMAND_OK && kind != PGRES_PIPELINE_SYNC;
}

/* With is_local the settings end with the transaction: behind a pooler the session belongs to
 * others afterwards. */
bool session_send_begin(const struct session *session, bool is_local)
{
    char timeout[16];
    const char *values[] = {timeout, is_local ? "true" : "false"};
    const struct prepared *begin = catalog_get(session->catalog, &STATEMENT_SESSION_BEGIN);

    snprintf(timeout, sizeof timeout, "%d", session->settings->statement_timeout_ms);
    return PQsendQueryParams(session->pg, begin->sql, (int)begin->parameters, NULL, values, NULL,
                             NULL, 0);
}

bool set_up_send(const struct session *session)
{
    return PQsetnonblocking(session->pg, 1) == 0 && PQenterPipelineMode(session->pg) &&
           (!session->settings->prepares ||
            (session_send_begin(session, false) && PQpipelineSync(session->pg)));
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

/* A Sync was reached: what stood before it is done. */
static void statement_is_set_up(struct session *session, struct session_failure *failure)
{
    bool is_begin = session->setting_up == BEGIN_STATEMENT;

    if (session->refused != NULL) {
        failure_add_statement(failure, session->catalog, session->setting_up, session->refused);
        PQclear(session->refused);
        session->refused = NULL;
        session->prepared[session->setting_up] = false;
    }
    session->setting_up = is_begin ? NO_STATEMENT : set_up_next(session, session->setting_up + 1);
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
        }
        PQclear(result);
    }
    return true;
}
