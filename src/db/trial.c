/* Every statement is prepared and then explained. Preparing a statement finds columns and types
 * that the schema does not have. EXPLAIN plans it, and PostgreSQL then checks the rights to tables
 * and functions. Neither runs the statement. */
#include "db/trial.h"

#include <string.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "db/failure.h"
#include "db/session_private.h"

/* Plans a statement as it would be run, which checks the rights to it. */
static bool send_explain(struct session *session, const struct prepared *statement)
{
    struct buf sql = {0};

    if (!session->prepared[statement->number]) {
        return PQpipelineSync(session->pg); /* refused when it was prepared */
    }
    buf_printf(&sql, "explain execute \"%s\"", statement->def->name);
    for (size_t i = 0; i < statement->parameters; i++) {
        buf_printf(&sql, "%snull", i == 0 ? "(" : ", ");
    }
    buf_text(&sql, statement->parameters > 0 ? ")" : "");
    bool is_sent = PQsendQueryParams(session->pg, sql.bytes, 0, NULL, NULL, NULL, NULL, 0) &&
                   PQpipelineSync(session->pg);
    buf_release(&sql);
    return is_sent;
}

/* A Sync follows each, so that one statement's error doesn't hide the next one's. */
static bool send_prepare(struct session *session, const struct prepared *statement)
{
    const char *name = session->settings->prepares ? statement->def->name : "";

    if (session->prepared[statement->number]) {
        return PQpipelineSync(session->pg);
    }
    session->prepared[statement->number] = session->settings->prepares;
    return PQsendPrepare(session->pg, name, statement->sql, 0, NULL) && PQpipelineSync(session->pg);
}

/* Waits for the answers to what was sent, up to the answers about the statement `last`, included.
 * Stops at an error that says nothing about the statement, such as a lock that is held, because
 * the next statements would meet it, too, each for its time limit. */
static bool wait_until_past(struct session *session, size_t last, int64_t deadline_us,
                            struct session_failure *failure)
{
    while (session->setting_up <= last) {
        if (!session_flush(session) || !session_wait(session, deadline_us) ||
            !set_up_read(session, last, failure)) {
            return failure_set(failure, session_error(session));
        }
        if (failure->error.text[0] != '\0' && !failure->is_unfit) {
            return false;
        }
    }
    return true;
}

/* Sends something for every statement and waits for the answers. Behind a pooler it waits after
 * each statement, because PgBouncer before 1.21 takes the answer to one Sync for the end of all
 * that the client has sent. */
static bool for_all(struct session *session,
                    bool (*send)(struct session *, const struct prepared *), int64_t deadline_us,
                    struct session_failure *failure)
{
    const size_t first = set_up_next(session, BEGIN_STATEMENT + 1);

    session->setting_up = first;
    for (size_t number = first; number < NO_STATEMENT; number = set_up_next(session, number + 1)) {
        if (!send(session, catalog_at(session->catalog, number))) {
            return failure_set(failure, session_error(session));
        }
        if (!session->settings->prepares &&
            !wait_until_past(session, number, deadline_us, failure)) {
            return false;
        }
    }
    return wait_until_past(session, NO_STATEMENT - 1, deadline_us, failure) &&
           failure->error.text[0] == '\0';
}

bool trial_may_run_all(struct session *session, int64_t deadline_us,
                       struct session_failure *failure)
{
    *failure = (struct session_failure){.error = {""}};
    if (!for_all(session, send_prepare, deadline_us, failure) && !failure->is_unfit) {
        return false;
    }
    /* Done even if some statements do not fit, because a function that a statement calls is
     * checked only when the statement is planned. */
    if (session->settings->prepares && !for_all(session, send_explain, deadline_us, failure)) {
        return false;
    }
    return failure->error.text[0] == '\0';
}

/* The server reports this parameter at the log-in, so it costs no statement. */
bool trial_is_superuser(const struct session *session)
{
    const char *is_superuser = PQparameterStatus(session->pg, "is_superuser");

    return is_superuser != NULL && strcmp(is_superuser, "on") == 0;
}

/* By the value that libpq has used, whether it was set by the string, a service or the
 * environment. */
static bool verifies_certificate(const struct session *session)
{
    PQconninfoOption *options = PQconninfo(session->pg);
    bool verifies = false;

    for (const PQconninfoOption *o = options; o != NULL && o->keyword != NULL; o++) {
        verifies |= strcmp(o->keyword, "sslmode") == 0 && o->val != NULL &&
                    strcmp(o->val, "verify-full") == 0;
    }
    PQconninfoFree(options);
    return verifies;
}

bool trial_is_unverified(const struct session *session)
{
    struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
    socklen_t size = sizeof address;

    getsockname(PQsocket(session->pg), (struct sockaddr *)&address, &size);
    return address.ss_family != AF_UNIX && !verifies_certificate(session);
}
