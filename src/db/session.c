#include "db/session.h"

#include <errno.h>
#include <libpq-fe.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "db/conninfo.h"
#include "db/lookup.h"
#include "db/notices.h"
#include "db/sqlstate.h"

/* Numbers of statements in the catalog: that of STATEMENT_SESSION_BEGIN, and that of none. */
enum { BEGIN_STATEMENT = 0, NO_STATEMENT = CATALOG_MAX };

/* A session goes through the stages in their order; an address that fails takes it back to
 * STAGE_CONNECT with the next one. */
struct session {
    struct conninfo conninfo;     /* until it is ready, as the lookup and all that is of targets */
    struct lookup *lookup;        /* whose targets these are: */
    const struct target *targets; /* NULL until the look-up is done */
    size_t *order;                /* their indexes, in the order in which they are tried */
    size_t target_count, tried;   /* the last one tried is the current one */
    struct session_memory *memory;
    int64_t limit_us; /* for a target from its start; 0: none, but of silence */
    int64_t began_us; /* the current target */
    int64_t end_us;   /* of the stage, or of the server's silence in it */
    int64_t told_us;  /* when the silence is told of, though it is waited on; INT64_MAX: isn't */
    PGconn *pg;       /* NULL until there is a target */
    const struct session_settings *settings;
    const struct catalog *catalog;
    enum { STAGE_LOOK_UP, STAGE_CONNECT, STAGE_SET_UP, STAGE_READY } stage;
    bool wants_to_write;
    bool is_in_doubt;  /* see session_take_doubt */
    size_t setting_up; /* number of the statement whose Sync comes next; NO_STATEMENT: none does */
    PGresult *refused; /* the error that it met */
    bool prepared[CATALOG_MAX]; /* by the statement's number */
    bool unfit[CATALOG_MAX];    /* was logged already */
};

static bool is_error(const PGresult *result)
{
    ExecStatusType kind = PQresultStatus(result);

    return kind != PGRES_TUPLES_OK && kind != PGRES_COMMAND_OK && kind != PGRES_PIPELINE_SYNC;
}

/* PostgreSQL says it in the place of the commit, with the SQLSTATE of any warning and a text in the
 * language of the server; but also from where in its source. */
static bool is_doubt(const PGresult *notice)
{
    const char *sqlstate = PQresultErrorField(notice, PG_DIAG_SQLSTATE);
    const char *source = PQresultErrorField(notice, PG_DIAG_SOURCE_FILE);

    return sqlstate != NULL && (strcmp(sqlstate, "01000") == 0 || strcmp(sqlstate, "57P01") == 0) &&
           source != NULL && strcmp(source, "syncrep.c") == 0;
}

static void note_notice(void *context, const PGresult *notice)
{
    struct session *session = context;
    const char *severity = PQresultErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED);
    const char *text = PQresultErrorField(notice, PG_DIAG_MESSAGE_PRIMARY);
    bool is_warning = severity != NULL && strcmp(severity, "WARNING") == 0;

    session->is_in_doubt |= is_warning && is_doubt(notice);
    if (is_warning) {
        notices_note(text != NULL ? text : "a warning");
    } else {
        log_message(LOG_DEBUG, "database", "%s: %s", severity != NULL ? severity : "notice", text);
    }
}

/* Adds to the reasons why there is no session yet, on the same line. */
static bool add_failure(struct session_failure *failure, const char *text)
{
    size_t used = strlen(failure->text), length = strlen(text);

    while (length > 0 && text[length - 1] == '\n') {
        length--;
    }
    snprintf(failure->text + used, sizeof failure->text - used, "%s%.*s", used > 0 ? "; " : "",
             (int)length, text);
    for (char *c = failure->text + used; *c != '\0'; c++) {
        *c = *c == '\n' || *c == '\t' ? ' ' : *c;
    }
    return false;
}

/* Says why there is no session. */
static bool fail(struct session_failure *failure, const char *text)
{
    failure->text[0] = '\0';
    return add_failure(failure, text);
}

/* --- which address --- */

static uint64_t add_hash(uint64_t hash, const char *text) /* FNV-1a */
{
    for (; text != NULL && *text != '\0'; text++) {
        hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    }
    return (hash ^ ',') * UINT64_C(0x100000001b3);
}

static uint64_t hash_of(const struct target *target)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    hash = add_hash(hash, target->host);
    hash = add_hash(hash, target->address);
    return add_hash(hash, target->port);
}

static const struct target *current(const struct session *session)
{
    return &session->targets[session->order[session->tried - 1]];
}

/* Where the address stands among the silent ones; NULL: it isn't one. */
static uint64_t *silent_entry(struct session_memory *memory, uint64_t hash)
{
    for (size_t i = 0; i < sizeof memory->silent / sizeof memory->silent[0]; i++) {
        if (memory->silent[i] == hash) {
            return &memory->silent[i];
        }
    }
    return NULL;
}

static void note_silent(struct session *session)
{
    struct session_memory *memory = session->memory;
    uint64_t hash = hash_of(current(session));

    if (silent_entry(memory, hash) == NULL) {
        memory->silent[memory->silent_next++ % (sizeof memory->silent / sizeof hash)] = hash;
    }
}

static void note_good(struct session *session)
{
    uint64_t *silent = silent_entry(session->memory, hash_of(current(session)));

    if (silent != NULL) {
        *silent = 0;
    }
    session->memory->last = hash_of(current(session));
}

/* From the one behind the last session's on, around; those that gave no answer come last. */
static void set_order(struct session *session)
{
    size_t count = session->target_count, first = 0, placed = 0;

    session->order = memory_alloc(count * sizeof session->order[0]);
    for (size_t i = 0; i < count; i++) {
        first = hash_of(&session->targets[i]) == session->memory->last ? i + 1 : first;
    }
    for (int is_silent = 0; is_silent <= 1; is_silent++) {
        for (size_t i = 0; i < count; i++) {
            size_t index = (first + i) % count;
            uint64_t hash = hash_of(&session->targets[index]);

            if ((silent_entry(session->memory, hash) != NULL) == is_silent) {
                session->order[placed++] = index;
            }
        }
    }
}

/* --- how long --- */

static void wait_for(struct session *session, int milliseconds)
{
    session->end_us = clock_us() + milliseconds * INT64_C(1000);
    session->told_us = INT64_MAX;
}

/* Waits for the server's next word. */
static void wait_for_word(struct session *session)
{
    bool is_last = session->tried == session->target_count;
    bool is_connected =
        session->stage != STAGE_CONNECT || PQstatus(session->pg) != CONNECTION_STARTED;

    wait_for(session, is_last && is_connected ? SESSION_WORD_MS : SESSION_ADDRESS_MS);
    if (session->stage == STAGE_CONNECT && session->limit_us > 0) {
        session->end_us = session->began_us + session->limit_us;
    }
    int64_t told_us = clock_us() + SESSION_ADDRESS_MS * INT64_C(1000);
    session->told_us = told_us < session->end_us ? told_us : INT64_MAX;
}

int64_t session_next_us(const struct session *session)
{
    return session->told_us < session->end_us ? session->told_us : session->end_us;
}

/* By libpq's rules for connect_timeout: seconds, 2 at least, for each address. */
static int64_t limit_of(const struct conninfo *conninfo)
{
    const char *value = conninfo_value(conninfo, "connect_timeout");
    long seconds = value != NULL ? strtol(value, NULL, 10) : 0;

    return seconds <= 0 ? 0 : (seconds < 2 ? 2 : seconds) * INT64_C(1000000);
}

/* --- connecting --- */

static bool start_connect(struct session *session, struct session_failure *failure)
{
    struct conninfo *conninfo = &session->conninfo;

    session->tried++;
    session->stage = STAGE_CONNECT;
    session->wants_to_write = true;
    session->began_us = clock_us();
    conninfo_set(conninfo, "host", current(session)->host);
    conninfo_set(conninfo, "hostaddr", current(session)->address);
    conninfo_set(conninfo, "port", current(session)->port);
    session->pg = PQconnectStartParams((const char *const *)conninfo->keywords,
                                       (const char *const *)conninfo->values, 0);
    if (session->pg == NULL) {
        return add_failure(failure, "out of memory");
    }
    PQsetNoticeReceiver(session->pg, note_notice, session);
    PQsetErrorVerbosity(session->pg, PQERRORS_VERBOSE); /* for add_refusal */
    if (PQstatus(session->pg) == CONNECTION_BAD) {
        return add_failure(failure, PQerrorMessage(session->pg));
    }
    wait_for_word(session);
    return true;
}

/* False when every address has failed; then the next attempt starts with the second, so that each is the
 * last one some time, for which there is more time. */
static bool connect_next(struct session *session, struct session_failure *failure)
{
    while (session->tried < session->target_count) {
        PQfinish(session->pg);
        session->pg = NULL;
        if (start_connect(session, failure)) {
            return true;
        }
    }
    session->memory->last = hash_of(&session->targets[session->order[0]]);
    return false;
}

/* The current address has failed, for a reason that is in failure. */
static enum session_state leave_address(struct session *session, struct session_failure *failure)
{
    PQclear(session->refused);
    session->refused = NULL;
    return connect_next(session, failure) ? SESSION_HELD_UP : SESSION_FAILED;
}

/* The server's own words about a log-in come as text alone. libpq's verbose form has the SQLSTATE in it,
 * "FATAL:  28P01: …", which is taken out, as is the last line, a place in PostgreSQL's source. */
static void add_refusal(struct session_failure *failure, const char *verbose)
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
    add_failure(failure, text.bytes);
    buf_release(&text);
}

static bool take_targets(struct session *session, struct session_failure *failure)
{
    const char *why;

    if (!lookup_take(session->lookup, &session->targets, &session->target_count, &why)) {
        return fail(failure, why);
    }
    set_order(session);
    return connect_next(session, failure);
}

/* Begins with the names of the hosts, if there are any. */
static bool start_look_up(struct session *session, struct session_failure *failure)
{
    struct conninfo *conninfo = &session->conninfo;

    conninfo_complete(conninfo);
    session->limit_us = limit_of(conninfo);
    session->lookup =
        lookup_start(conninfo_value(conninfo, "host"), conninfo_value(conninfo, "hostaddr"),
                     conninfo_value(conninfo, "port"));
    if (session->lookup == NULL) {
        return fail(failure, "no thread for the look-up of its host");
    }
    wait_for(session, SESSION_LOOK_UP_MS);
    return !lookup_is_done(session->lookup) || take_targets(session, failure);
}

static bool start(struct session *session, struct session_failure *failure)
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
    if (!conninfo_parse(url.length > 0 ? url.bytes : "", settings->application_name,
                        &session->conninfo, parse_failure)) {
        fail(failure, parse_failure);
        goto cleanup;
    }
    good = start_look_up(session, failure);
cleanup:
    buf_release(&url);
    return good;
}

/* --- setting up --- */

/* Adds a line for a statement that the database refuses. */
static void note_refused(const struct session *session, size_t number, const PGresult *error,
                         struct session_failure *failure)
{
    const char *position = PQresultErrorField(error, PG_DIAG_STATEMENT_POSITION);
    size_t used = strlen(failure->text);

    const char *sqlstate = PQresultErrorField(error, PG_DIAG_SQLSTATE);

    snprintf(failure->text + used, sizeof failure->text - used, "%s%s: %s (SQLSTATE %s)",
             used > 0 ? "\n" : "",
             catalog_place(session->catalog, catalog_at(session->catalog, number)->def,
                           position != NULL ? atoi(position) : 0),
             PQresultErrorField(error, PG_DIAG_MESSAGE_PRIMARY), sqlstate);
    if (sqlstate_verdict(sqlstate).status == STATUS_INTERNAL) {
        failure->is_unfit = true; /* not just a server that shuts down, say */
    }
}

bool session_send_begin(const struct session *session, bool is_local)
{
    char timeout[16];
    const char *values[] = {timeout, is_local ? "true" : "false"};
    const struct prepared *begin = catalog_get(session->catalog, &STATEMENT_SESSION_BEGIN);

    snprintf(timeout, sizeof timeout, "%d", session->settings->statement_timeout_ms);
    return PQsendQueryParams(session->pg, begin->sql, (int)begin->parameters, NULL, values, NULL,
                             NULL, 0);
}

static bool send_set_up(struct session *session)
{
    return PQsetnonblocking(session->pg, 1) == 0 && PQenterPipelineMode(session->pg) &&
           (!session->settings->prepares ||
            (session_send_begin(session, false) && PQpipelineSync(session->pg)));
}

/* The number of the first statement, from number on, that is of this session's lanes. */
static size_t next_of_lanes(const struct session *session, size_t number)
{
    while (number < catalog_count(session->catalog) &&
           (catalog_at(session->catalog, number)->lanes & session->settings->lanes) == 0) {
        number++;
    }
    return number < catalog_count(session->catalog) ? number : NO_STATEMENT;
}

/* A Sync was reached: what stood before it is done. */
static void statement_is_set_up(struct session *session, struct session_failure *failure)
{
    bool is_begin = session->setting_up == BEGIN_STATEMENT;

    if (session->refused != NULL) {
        note_refused(session, session->setting_up, session->refused, failure);
        PQclear(session->refused);
        session->refused = NULL;
    }
    session->setting_up = is_begin ? NO_STATEMENT : next_of_lanes(session, session->setting_up + 1);
}

bool session_has_prepared(const struct session *session, const struct prepared *statement)
{
    return session->prepared[statement->number];
}

void session_note_prepared(struct session *session, const struct prepared *statement,
                           bool is_prepared)
{
    session->prepared[statement->number] = is_prepared;
}

bool session_note_unfit(struct session *session, const struct prepared *statement)
{
    bool is_new = !session->unfit[statement->number];

    session->unfit[statement->number] = true;
    return is_new;
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

/* Reads the answers to the set-up, as many as have come, until those about the statement `last`.
 * False when the session is lost. */
static bool read_set_up(struct session *session, size_t last, struct session_failure *failure)
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

/* What only connecting needed. */
static void forget_targets(struct session *session)
{
    conninfo_release(&session->conninfo);
    lookup_free(session->lookup);
    memory_free(session->order);
    session->lookup = NULL;
    session->targets = NULL;
    session->order = NULL;
}

static enum session_state set_up(struct session *session, struct session_failure *failure)
{
    if (!read_set_up(session, NO_STATEMENT - 1, failure) || !session_flush(session)) {
        /* What the server said first is the reason. */
        add_failure(failure, session->refused != NULL ? PQresultErrorMessage(session->refused)
                                                      : session_error(session));
        return leave_address(session, failure);
    }
    if (session->setting_up < NO_STATEMENT) {
        wait_for_word(session);
        return SESSION_CONNECTING;
    }
    if (failure->text[0] != '\0') {
        return SESSION_FAILED;
    }
    note_good(session);
    forget_targets(session);
    session->stage = STAGE_READY;
    session->is_in_doubt = false;
    return SESSION_READY;
}

static enum session_state begin_set_up(struct session *session, struct session_failure *failure)
{
    session->stage = STAGE_SET_UP;
    session->setting_up = session->settings->prepares ? BEGIN_STATEMENT : NO_STATEMENT;
    PQsetErrorVerbosity(session->pg, PQERRORS_DEFAULT);
    *failure = (struct session_failure){.text = ""}; /* of other addresses */
    if (!send_set_up(session)) {
        add_failure(failure, PQerrorMessage(session->pg));
        return leave_address(session, failure);
    }
    return set_up(session, failure);
}

/* Whether the server lacks what the schema and the statements need. */
static bool is_too_old(const struct session *session, struct session_failure *failure)
{
    const char *version = PQparameterStatus(session->pg, "server_version");

    if (PQserverVersion(session->pg) >= SESSION_SERVER_VERSION_MIN) {
        return false;
    }
    snprintf(failure->text, sizeof failure->text,
             "this is PostgreSQL %s: Cruddur needs %d or later",
             version != NULL ? version : "of unknown version", SESSION_SERVER_VERSION_MIN / 10000);
    failure->is_unfit = true;
    return true;
}

static enum session_state go_on_connecting(struct session *session, struct session_failure *failure)
{
    switch (PQconnectPoll(session->pg)) {
    case PGRES_POLLING_OK:
        return is_too_old(session, failure) ? SESSION_FAILED : begin_set_up(session, failure);
    case PGRES_POLLING_READING:
        session->wants_to_write = false;
        break;
    case PGRES_POLLING_WRITING:
        session->wants_to_write = true;
        break;
    default:
        add_refusal(failure, PQerrorMessage(session->pg));
        return leave_address(session, failure);
    }
    wait_for_word(session);
    return SESSION_CONNECTING;
}

static void add_silence(const struct session *session, struct session_failure *failure)
{
    const struct target *target = current(session);
    struct buf text = {0};

    buf_printf(&text, "connection to server at \"%s\"",
               target->host != NULL ? target->host : "its default");
    if (target->address != NULL && target->host != NULL) {
        buf_printf(&text, " (%s)", target->address);
    }
    buf_text(&text, ": no answer in time");
    add_failure(failure, text.bytes);
    buf_release(&text);
}

/* The socket isn't ready. */
static enum session_state look_at_time(struct session *session, struct session_failure *failure)
{
    int64_t now_us = clock_us();

    if (now_us < session_next_us(session)) {
        return SESSION_CONNECTING;
    }
    if (session->targets == NULL) {
        fail(failure, "no answer of the resolver in time");
        return SESSION_FAILED;
    }
    add_silence(session, failure);
    if (now_us < session->end_us) {
        session->told_us = INT64_MAX;
        return SESSION_HELD_UP;
    }
    note_silent(session);
    return leave_address(session, failure);
}

enum session_state session_advance(struct session *session, bool is_ready,
                                   struct session_failure *failure)
{
    if (!is_ready) {
        return look_at_time(session, failure);
    }
    switch (session->stage) {
    case STAGE_LOOK_UP:
        return take_targets(session, failure) ? SESSION_CONNECTING : SESSION_FAILED;
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
                              const struct catalog *catalog, struct session_memory *memory,
                              struct session_failure *failure)
{
    struct session *session = memory_zeroed(sizeof *session);

    *failure = (struct session_failure){.text = ""};
    session->settings = settings;
    session->catalog = catalog;
    session->memory = memory;
    if (start(session, failure)) {
        return session;
    }
    session_close(session);
    return NULL;
}

int session_fd(const struct session *session)
{
    return session->stage == STAGE_LOOK_UP ? lookup_fd(session->lookup) : PQsocket(session->pg);
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
                             struct session_memory *memory, int64_t deadline_us,
                             struct session_failure *failure)
{
    struct session *session = session_start(settings, catalog, memory, failure);

    while (session != NULL) {
        int64_t next_us = session_next_us(session);
        bool is_ready = session_wait(session, next_us < deadline_us ? next_us : deadline_us);
        if (!is_ready && clock_us() >= deadline_us) {
            add_failure(failure, "no answer in time");
            break;
        }
        enum session_state state = session_advance(session, is_ready, failure);
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
static bool send_explain(struct session *session, const struct prepared *statement)
{
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

/* A Sync follows each, so that one statement's error doesn't hide the next one's. */
static bool send_prepare(struct session *session, const struct prepared *statement)
{
    const char *name = session->settings->prepares ? statement->name : "";

    if (session->prepared[statement->number]) {
        return PQpipelineSync(session->pg);
    }
    session->prepared[statement->number] = session->settings->prepares;
    return PQsendPrepare(session->pg, name, statement->sql, 0, NULL) && PQpipelineSync(session->pg);
}

/* Waits for the answers to what was sent, until those about the statement `last` have come. Stops at
 * an error that says nothing about the statement, such as a lock that is held: the next statements
 * would meet it too, each for its time limit. */
static bool wait_until_past(struct session *session, size_t last, int64_t deadline_us,
                            struct session_failure *failure)
{
    while (session->setting_up <= last) {
        if (!session_flush(session) || !session_wait(session, deadline_us) ||
            !read_set_up(session, last, failure)) {
            return fail(failure, session_error(session));
        }
        if (failure->text[0] != '\0' && !failure->is_unfit) {
            return false;
        }
    }
    return true;
}

/* Sends something for every statement and waits for the answers. Behind a pooler it waits for each:
 * PgBouncer before 1.21 takes the answer to one Sync for the end of all that the client has sent. */
static bool for_all(struct session *session,
                    bool (*send)(struct session *, const struct prepared *), int64_t deadline_us,
                    struct session_failure *failure)
{
    const size_t first = next_of_lanes(session, BEGIN_STATEMENT + 1);

    session->setting_up = first;
    for (size_t number = first; number < NO_STATEMENT;
         number = next_of_lanes(session, number + 1)) {
        if (!send(session, catalog_at(session->catalog, number))) {
            return fail(failure, session_error(session));
        }
        if (!session->settings->prepares &&
            !wait_until_past(session, number, deadline_us, failure)) {
            return false;
        }
    }
    return wait_until_past(session, NO_STATEMENT - 1, deadline_us, failure) &&
           failure->text[0] == '\0';
}

bool session_may_run_all(struct session *session, int64_t deadline_us,
                         struct session_failure *failure)
{
    *failure = (struct session_failure){.text = ""};
    return for_all(session, send_prepare, deadline_us, failure) &&
           (!session->settings->prepares || for_all(session, send_explain, deadline_us, failure));
}

bool session_is_superuser(const struct session *session)
{
    const char *is_superuser = PQparameterStatus(session->pg, "is_superuser");

    return is_superuser != NULL && strcmp(is_superuser, "on") == 0;
}

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

bool session_is_unverified(const struct session *session)
{
    struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
    socklen_t size = sizeof address;

    getsockname(PQsocket(session->pg), (struct sockaddr *)&address, &size);
    return address.ss_family != AF_UNIX && !verifies_certificate(session);
}

void session_abandon(const struct session *session)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};

    setsockopt(PQsocket(session->pg), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

void session_close(struct session *session)
{
    if (session != NULL) {
        forget_targets(session);
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

bool session_take_doubt(struct session *session)
{
    bool is_in_doubt = session->is_in_doubt;

    session->is_in_doubt = false;
    return is_in_doubt;
}
