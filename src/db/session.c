#include "db/session.h"

#include <errno.h>
#include <libpq-fe.h>
#include <openssl/ssl.h>
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
#include "db/lookup.h"
#include "db/sqlstate.h"

struct session {
    struct conninfo conninfo;
    struct lookup *lookup; /* of its host names; NULL: none are needed any more */
    PGconn *pg;            /* NULL until then */
    const struct session_settings *settings;
    const struct catalog *catalog;
    enum { STAGE_LOOK_UP, STAGE_CONNECT, STAGE_SET_UP, STAGE_READY } stage;
    bool wants_to_write;
    bool was_warned;
    enum statement_id setting_up; /* whose Sync comes next */
    PGresult *refused;            /* the error that it met */
};

static bool is_error(const PGresult *result)
{
    ExecStatusType kind = PQresultStatus(result);

    return kind != PGRES_TUPLES_OK && kind != PGRES_COMMAND_OK && kind != PGRES_PIPELINE_SYNC &&
           kind != PGRES_PIPELINE_ABORTED; /* word of the error of another one */
}

static void note_notice(void *context, const PGresult *notice)
{
    struct session *session = context;
    const char *severity = PQresultErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED);
    bool is_warning = severity != NULL && strcmp(severity, "WARNING") == 0;

    session->was_warned |= is_warning;
    log_message(is_warning ? LOG_WARNING : LOG_DEBUG, "database", "%s: %s",
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

static bool start_connect(struct session *session, struct session_failure *failure)
{
    struct conninfo *conninfo = &session->conninfo;

    session->stage = STAGE_CONNECT;
    session->wants_to_write = true;
    session->pg = PQconnectStartParams((const char *const *)conninfo->keywords,
                                       (const char *const *)conninfo->values, 0);
    conninfo_release(conninfo);
    if (session->pg == NULL) {
        return fail(failure, "out of memory");
    }
    PQsetNoticeReceiver(session->pg, note_notice, session);
    return PQstatus(session->pg) != CONNECTION_BAD || fail(failure, PQerrorMessage(session->pg));
}

/* What libpq is not to ask the resolver itself. */
static bool take_addresses(struct session *session, struct session_failure *failure)
{
    struct addresses found;
    const char *why;

    if (!lookup_take(session->lookup, &found, &why)) {
        return fail(failure, why);
    }
    conninfo_set(&session->conninfo, "host", found.hosts);
    conninfo_set(&session->conninfo, "hostaddr", found.addresses);
    conninfo_set(&session->conninfo, "port", found.ports);
    lookup_free(session->lookup);
    session->lookup = NULL;
    return true;
}

/* Begins with the names of the hosts, if there are any. */
static bool start_look_up(struct session *session, struct session_failure *failure)
{
    const char *hosts = conninfo_value(&session->conninfo, "host");

    if (hosts == NULL || conninfo_value(&session->conninfo, "hostaddr") != NULL ||
        !lookup_is_needed(hosts)) {
        return start_connect(session, failure);
    }
    session->stage = STAGE_LOOK_UP;
    session->lookup = lookup_start(hosts, conninfo_value(&session->conninfo, "port"));
    return session->lookup != NULL || fail(failure, "no thread for the look-up of its host");
}

static bool start(struct session *session, unsigned first_host, struct session_failure *failure)
{
    const struct session_settings *settings = session->settings;
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
                        &session->conninfo, parse_failure)) {
        fail(failure, parse_failure);
        goto cleanup;
    }
    good = start_look_up(session, failure);
cleanup:
    buf_release(&url);
    return good;
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

/* Whether this session runs the statement. Those of a pooler in transaction mode are not ours to
 * set up. */
static bool is_mine(const struct session *session, enum statement_id id)
{
    if (id == STATEMENT_SESSION_BEGIN) {
        return session->settings->prepares;
    }
    return (catalog_get(session->catalog, id)->lane & session->settings->lanes) != 0;
}

/* The first statement from id on that is this session's. */
static enum statement_id next_mine(const struct session *session, enum statement_id id)
{
    while (id < STATEMENT_COUNT && !is_mine(session, id)) {
        id++;
    }
    return id;
}

/* Whether a Sync follows the statement in the set-up: behind each one, so that one statement's error
 * doesn't hide the next one's; but behind the last alone where a pooler may be. PgBouncer before 1.21
 * takes the answer to a Sync for the end of all that the client has sent, and gives the rest of a
 * statement of which it has passed on a part to another server. */
static bool ends_unit(const struct session *session, enum statement_id id)
{
    return session->settings->prepares || next_mine(session, id + 1) == STATEMENT_COUNT;
}

static bool send_set_up(struct session *session)
{
    char timeout[16];
    const char *values[] = {timeout};
    const struct prepared *begin = catalog_get(session->catalog, STATEMENT_SESSION_BEGIN);

    snprintf(timeout, sizeof timeout, "%d", session->settings->statement_timeout_ms);
    if (PQsetnonblocking(session->pg, 1) != 0 || !PQenterPipelineMode(session->pg)) {
        return false;
    }
    if (session->settings->prepares &&
        (!PQsendQueryParams(session->pg, begin->sql, (int)begin->parameters, NULL, values, NULL,
                            NULL, 0) ||
         !PQpipelineSync(session->pg))) {
        return false;
    }
    for (enum statement_id id = next_mine(session, STATEMENT_SESSION_BEGIN + 1);
         id < STATEMENT_COUNT; id = next_mine(session, id + 1)) {
        const struct prepared *statement = catalog_get(session->catalog, id);
        const char *name = session->settings->prepares ? statement->name : "";

        if (!PQsendPrepare(session->pg, name, statement->sql, 0, NULL) ||
            (ends_unit(session, id) && !PQpipelineSync(session->pg))) {
            return false;
        }
    }
    return true;
}

/* A Sync was reached: what stood before it is done. */
static void unit_is_set_up(struct session *session, struct session_failure *failure)
{
    if (session->refused != NULL) {
        note_refused(session, session->setting_up, session->refused, failure);
        PQclear(session->refused);
        session->refused = NULL;
    }
    session->setting_up =
        session->settings->prepares ? next_mine(session, session->setting_up + 1) : STATEMENT_COUNT;
}

/* The next answer is about the next statement, if that is of the same unit. */
static void statement_is_set_up(struct session *session)
{
    if (!ends_unit(session, session->setting_up)) {
        session->setting_up = next_mine(session, session->setting_up + 1);
    }
}

bool session_receive(struct session *session)
{
    SSL *tls;

    /* What libpq leaves of a TLS record is no longer in the socket, which so doesn't become readable
     * for it. */
    do {
        if (!PQconsumeInput(session->pg)) {
            return false;
        }
        tls = PQsslStruct(session->pg, "OpenSSL");
    } while (tls != NULL && SSL_pending(tls) > 0);
    return true;
}

bool session_flush(struct session *session)
{
    int unsent = PQflush(session->pg);

    session->wants_to_write = unsent > 0;
    return unsent >= 0;
}

/* Reads the answers to the set-up, as many as have come. False when the session is lost. */
static bool read_set_up(struct session *session, struct session_failure *failure)
{
    if (!session_receive(session)) {
        return false;
    }
    while (session->setting_up < STATEMENT_COUNT && !PQisBusy(session->pg)) {
        PGresult *result = PQgetResult(session->pg);

        if (result == NULL) {
            if (PQstatus(session->pg) == CONNECTION_BAD) {
                return false;
            }
        } else if (PQresultStatus(result) == PGRES_PIPELINE_SYNC) {
            unit_is_set_up(session, failure);
        } else if (PQresultStatus(result) == PGRES_COMMAND_OK) {
            statement_is_set_up(session);
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

static enum session_state set_up(struct session *session, struct session_failure *failure)
{
    if (!read_set_up(session, failure) || !session_flush(session)) {
        /* What the server said first is the reason. */
        fail(failure, session->refused != NULL ? PQresultErrorMessage(session->refused)
                                               : session_error(session));
        return SESSION_FAILED;
    }
    if (session->setting_up < STATEMENT_COUNT) {
        return SESSION_CONNECTING;
    }
    if (failure->text[0] != '\0') {
        return SESSION_FAILED;
    }
    session->stage = STAGE_READY;
    session->was_warned = false;
    return SESSION_READY;
}

static enum session_state begin_set_up(struct session *session, struct session_failure *failure)
{
    session->stage = STAGE_SET_UP;
    session->setting_up = next_mine(session, STATEMENT_SESSION_BEGIN);
    if (!send_set_up(session)) {
        fail(failure, PQerrorMessage(session->pg));
        return SESSION_FAILED;
    }
    return set_up(session, failure);
}

static enum session_state go_on_connecting(struct session *session, struct session_failure *failure)
{
    switch (PQconnectPoll(session->pg)) {
    case PGRES_POLLING_OK:
        return begin_set_up(session, failure);
    case PGRES_POLLING_READING:
        session->wants_to_write = false;
        return SESSION_CONNECTING;
    case PGRES_POLLING_WRITING:
        session->wants_to_write = true;
        return SESSION_CONNECTING;
    default:
        fail(failure, PQerrorMessage(session->pg));
        return SESSION_FAILED;
    }
}

enum session_state session_advance(struct session *session, struct session_failure *failure)
{
    switch (session->stage) {
    case STAGE_LOOK_UP:
        return take_addresses(session, failure) && start_connect(session, failure)
                   ? SESSION_CONNECTING
                   : SESSION_FAILED;
    case STAGE_CONNECT:
        return go_on_connecting(session, failure);
    case STAGE_SET_UP:
        return set_up(session, failure);
    case STAGE_READY:
        break;
    }
    return SESSION_READY;
}

struct session *session_start(const struct session_settings *settings,
                              const struct catalog *catalog, unsigned first_host,
                              struct session_failure *failure)
{
    struct session *session = memory_zeroed(sizeof *session);

    *failure = (struct session_failure){.text = ""};
    session->settings = settings;
    session->catalog = catalog;
    if (start(session, first_host, failure)) {
        return session;
    }
    session_close(session);
    return NULL;
}

int session_fd(const struct session *session)
{
    return session->lookup != NULL ? lookup_fd(session->lookup) : PQsocket(session->pg);
}

bool session_wants_to_write(const struct session *session)
{
    return session->wants_to_write;
}

bool session_wait(const struct session *session, int64_t deadline_us)
{
    struct pollfd waiting = {.fd = session_fd(session),
                             .events = session->wants_to_write ? POLLIN | POLLOUT : POLLIN};

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

struct session *session_open(const struct session_settings *settings, const struct catalog *catalog,
                             unsigned first_host, int64_t deadline_us,
                             struct session_failure *failure)
{
    struct session *session = session_start(settings, catalog, first_host, failure);

    while (session != NULL) {
        if (!session_wait(session, deadline_us)) {
            fail(failure, "no answer in time");
            break;
        }
        enum session_state state = session_advance(session, failure);
        if (state == SESSION_READY) {
            return session;
        }
        if (state == SESSION_FAILED) {
            break;
        }
    }
    session_close(session);
    return NULL;
}

/* Plans a statement as it would be run, which checks the rights to it. */
static bool send_explain(struct session *session, enum statement_id id)
{
    const struct prepared *statement = catalog_get(session->catalog, id);
    struct buf sql = {0};

    buf_printf(&sql, "explain execute \"%s\"", statement->name);
    for (size_t i = 0; i < statement->parameters; i++) {
        buf_printf(&sql, "%snull", i == 0 ? "(" : ", ");
    }
    buf_text(&sql, statement->parameters > 0 ? ")" : "");
    bool is_sent = PQsendQueryParams(session->pg, sql.bytes, 0, NULL, NULL, NULL, NULL, 0) &&
                   PQpipelineSync(session->pg);
    buf_release(&sql);
    return is_sent;
}

bool session_may_run_all(struct session *session, int64_t deadline_us,
                         struct session_failure *failure)
{
    enum statement_id first = next_mine(session, STATEMENT_SESSION_BEGIN + 1);

    if (!session->settings->prepares) {
        return true;
    }
    session->setting_up = first;
    for (enum statement_id id = first; id < STATEMENT_COUNT; id = next_mine(session, id + 1)) {
        if (!send_explain(session, id)) {
            return fail(failure, session_error(session));
        }
    }
    while (session->setting_up < STATEMENT_COUNT) {
        if (!session_flush(session) || !session_wait(session, deadline_us) ||
            !read_set_up(session, failure)) {
            return fail(failure, session_error(session));
        }
    }
    return failure->text[0] == '\0';
}

void session_close(struct session *session)
{
    if (session != NULL) {
        lookup_free(session->lookup);
        conninfo_release(&session->conninfo);
        PQclear(session->refused);
        PQfinish(session->pg);
        memory_free(session);
    }
}

struct pg_conn *session_pg(const struct session *session)
{
    return session->pg;
}

const struct session_settings *session_settings(const struct session *session)
{
    return session->settings;
}

const struct catalog *session_catalog(const struct session *session)
{
    return session->catalog;
}

const char *session_error(const struct session *session)
{
    const char *text = PQerrorMessage(session->pg);

    return *text != '\0' ? text : "no answer in time";
}

bool session_take_warning(struct session *session)
{
    bool was_warned = session->was_warned;

    session->was_warned = false;
    return was_warned;
}
