/* The text says for each address why it gave no session, so it grows until the last address has
 * failed. It is one line, because it becomes one line of the log. Only a schema that does not fit
 * has a line for each statement: --check prints them all. */
#include "db/failure.h"

#include <libpq-fe.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/status.h"
#include "db/catalog.h"
#include "db/sqlstate.h"

/* Adds to the reasons why there is no session yet, on the same line. */
bool failure_add(struct session_failure *failure, const char *text)
{
    size_t used = strlen(failure->error.text), length = strlen(text);

    while (length > 0 && text[length - 1] == '\n') {
        length--;
    }
    snprintf(failure->error.text + used, sizeof failure->error.text - used, "%s%.*s",
             used > 0 ? "; " : "", (int)length, text);
    for (char *c = failure->error.text + used; *c != '\0'; c++) {
        *c = *c == '\n' || *c == '\t' ? ' ' : *c;
    }
    return false;
}

/* Says why there is no session. */
bool failure_set(struct session_failure *failure, const char *text)
{
    failure->error.text[0] = '\0';
    return failure_add(failure, text);
}

/* libpq gives the server's message about a log-in only as text. Its verbose form contains the
 * SQLSTATE, "FATAL:  28P01: …". This function takes the SQLSTATE out of the text, and also the
 * last line, which is a place in PostgreSQL's source. */
void failure_add_refusal(struct session_failure *failure, const char *verbose)
{
    const char *severity = strstr(verbose, ":  ");
    const char *end = strstr(verbose, "\nLOCATION:");
    struct buf text = {0};
    char sqlstate[6] = "";

    if (severity != NULL && strspn(severity + 3, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 5 &&
        strncmp(severity + 8, ": ", 2) == 0) {
        memcpy(sqlstate, severity + 3, 5);
        enum status status = sqlstate_verdict(sqlstate).status;

        failure->is_refused |= status == STATUS_INTERNAL || status == STATUS_VALUE_REFUSED;
        failure->lacks_slot |= strcmp(sqlstate, "53300") == 0;
        buf_printf(&text, "%.*s", (int)(severity + 3 - verbose), verbose);
        verbose = severity + 10;
    }
    buf_printf(&text, "%.*s", (int)(end != NULL ? end - verbose : (ptrdiff_t)strlen(verbose)),
               verbose);
    if (sqlstate[0] != '\0') {
        buf_printf(&text, " (SQLSTATE %s)", sqlstate);
    }
    failure_add(failure, text.bytes);
    buf_release(&text);
}

void failure_describe(const struct catalog *catalog, const struct statement_def *def,
                      const PGresult *error, char *text, size_t size)
{
    const char *position = PQresultErrorField(error, PG_DIAG_STATEMENT_POSITION);
    const char *message = PQresultErrorField(error, PG_DIAG_MESSAGE_PRIMARY);
    const char *context = PQresultErrorField(error, PG_DIAG_CONTEXT);
    const char *sqlstate = PQresultErrorField(error, PG_DIAG_SQLSTATE);

    snprintf(text, size, "%s: %s%s%.*s (SQLSTATE %s)",
             catalog_place(catalog, def, position != NULL ? atoi(position) : 0),
             message != NULL ? message : "no message", context != NULL ? ", in " : "",
             context != NULL ? (int)strcspn(context, "\n") : 0, context != NULL ? context : "",
             sqlstate != NULL ? sqlstate : "none");
}

/* Adds a line for a statement that the database refuses. */
void failure_add_statement(struct session_failure *failure, const struct catalog *catalog,
                           size_t number, const PGresult *error)
{
    char *text = failure->error.text;
    size_t size = sizeof failure->error.text, used = strlen(text);

    snprintf(text + used, size - used, "%s", used > 0 ? "\n" : "");
    used = strlen(text);
    failure_describe(catalog, catalog_at(catalog, number)->def, error, text + used, size - used);
    if (sqlstate_verdict(PQresultErrorField(error, PG_DIAG_SQLSTATE)).status == STATUS_INTERNAL) {
        failure->is_unfit = true; /* and not, for example, a server that shuts down */
    }
}
