/* Dialling goes through three stages:
 *
 *     STAGE_LOOK_UP  a thread resolves the host names      -> the targets, sorted by addresses.c
 *     STAGE_CONNECT  libpq connects to the current target  -> a server that has accepted the log-in
 *     STAGE_SET_UP   one round trip (set_up.c)             -> a ready session, without its dial
 *
 * A target that fails, or is silent until its time is over, takes the session back to
 * STAGE_CONNECT with the next target; after the last one the attempt has failed. libpq is given
 * one address at a time, because its own walk along several addresses waits for each without a
 * limit that we could set, and does not say which one it is at. */
#include "db/dial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "db/addresses.h"
#include "db/conninfo.h"
#include "db/failure.h"
#include "db/lookup.h"
#include "db/session_private.h"

struct dial {
    enum { STAGE_LOOK_UP, STAGE_CONNECT, STAGE_SET_UP } stage;
    struct conninfo conninfo;
    struct lookup *lookup;        /* owns the targets */
    const struct target *targets; /* NULL until the look-up is done */
    size_t *order;                /* indexes of targets, in the order in which they are tried */
    size_t target_count, tried;   /* the last one tried is the current one */
    struct session_memory *memory;
    int64_t limit_us;  /* for one target; 0: only the server's silence is limited */
    int64_t began_us;  /* when the current target was begun */
    int64_t end_us;    /* limit of the stage, or of the server's silence in it */
    int64_t report_us; /* when the silence is reported, while the wait goes on; INT64_MAX: never */
};

/* Valid from the first start_connect on, when tried is at least 1. */
static const struct target *current(const struct session *session)
{
    return &session->dial->targets[session->dial->order[session->dial->tried - 1]];
}

static void set_limit(struct session *session, int milliseconds)
{
    session->dial->end_us = clock_us() + milliseconds * INT64_C(1000);
    session->dial->report_us = INT64_MAX;
}

/* Sets the limits for the server's next message. */
static void wait_for_reply(struct session *session)
{
    bool is_last = session->dial->tried == session->dial->target_count;
    bool is_connected =
        session->dial->stage != STAGE_CONNECT || PQstatus(session->pg) != CONNECTION_STARTED;

    set_limit(session, is_last && is_connected ? SESSION_REPLY_MS : SESSION_ADDRESS_MS);
    if (session->dial->stage == STAGE_CONNECT && session->dial->limit_us > 0) {
        session->dial->end_us = session->dial->began_us + session->dial->limit_us;
    }
    int64_t report_us = clock_us() + SESSION_ADDRESS_MS * INT64_C(1000);
    session->dial->report_us = report_us < session->dial->end_us ? report_us : INT64_MAX;
}

/* The earlier of two moments: when the silence is reported, so that requests need not wait for
 * this address, and when the address is given up. */
int64_t dial_next_us(const struct session *session)
{
    return session->dial->report_us < session->dial->end_us ? session->dial->report_us
                                                            : session->dial->end_us;
}

/* By libpq's rules for connect_timeout: seconds, 2 at least, for each address. */
static int64_t limit_of(const struct conninfo *conninfo)
{
    const char *value = conninfo_value(conninfo, "connect_timeout");
    long seconds = value != NULL ? strtol(value, NULL, 10) : 0;

    return seconds <= 0 ? 0 : (seconds < 2 ? 2 : seconds) * INT64_C(1000000);
}

/* Gives libpq one address. libpq is asked for verbose errors until the log-in is done, because
 * only verbose errors contain the SQLSTATE. */
static bool start_connect(struct session *session, struct session_failure *failure)
{
    struct conninfo *conninfo = &session->dial->conninfo;

    session->dial->tried++;
    session->dial->stage = STAGE_CONNECT;
    session->wants_to_write = true;
    session->dial->began_us = clock_us();
    conninfo_set(conninfo, "host", current(session)->host);
    conninfo_set(conninfo, "hostaddr", current(session)->address);
    conninfo_set(conninfo, "port", current(session)->port);
    session->pg = PQconnectStartParams((const char *const *)conninfo->keywords,
                                       (const char *const *)conninfo->values, 0);
    if (session->pg == NULL) {
        return failure_add(failure, "out of memory");
    }
    PQsetNoticeReceiver(session->pg, session_take_notice, session);
    PQsetErrorVerbosity(session->pg, PQERRORS_VERBOSE); /* for failure_add_refusal */
    if (PQstatus(session->pg) == CONNECTION_BAD) {
        return failure_add(failure, PQerrorMessage(session->pg));
    }
    wait_for_reply(session);
    return true;
}

/* False when every address has failed. The next attempt then starts with the second address, so
 * that each address is the last one in some attempt: the last one has more time to answer. */
static bool connect_next(struct session *session, struct session_failure *failure)
{
    while (session->dial->tried < session->dial->target_count) {
        PQfinish(session->pg);
        session->pg = NULL;
        if (start_connect(session, failure)) {
            return true;
        }
    }
    addresses_note_all_failed(session->dial->memory,
                              &session->dial->targets[session->dial->order[0]]);
    return false;
}

/* The current address has failed, for a reason that is in failure. */
static enum session_state leave_address(struct session *session, struct session_failure *failure)
{
    PQclear(session->refused);
    session->refused = NULL;
    return connect_next(session, failure) ? SESSION_HELD_UP : SESSION_FAILED;
}

/* Keeps only one of the targets, if the settings want it. */
static bool take_only_address(struct session *session, struct session_failure *failure)
{
    int only = session->settings->only_address;

    if (only > 0 && (size_t)only > session->dial->target_count) {
        return failure_set(failure, "there is no such address any more");
    }
    if (only > 0) {
        session->dial->order[0] = (size_t)only - 1;
        session->dial->target_count = 1;
    }
    return true;
}

static bool take_targets(struct session *session, struct session_failure *failure)
{
    if (!lookup_take(session->dial->lookup, &session->dial->targets, &session->dial->target_count,
                     &failure->error)) {
        return false;
    }
    session->dial->memory->count = session->dial->target_count;
    session->dial->order =
        memory_alloc(session->dial->target_count * sizeof session->dial->order[0]);
    addresses_sort(session->dial->memory, session->dial->targets, session->dial->target_count,
                   session->dial->order);
    return take_only_address(session, failure) && connect_next(session, failure);
}

/* Begins with the look-up of host names, if there are any. */
static bool start_look_up(struct session *session, struct session_failure *failure)
{
    struct conninfo *conninfo = &session->dial->conninfo;

    conninfo_complete(conninfo);
    session->dial->limit_us = limit_of(conninfo);
    session->dial->lookup =
        lookup_start(conninfo_value(conninfo, "host"), conninfo_value(conninfo, "hostaddr"),
                     conninfo_value(conninfo, "port"));
    if (session->dial->lookup == NULL) {
        return failure_set(failure, "no thread for the look-up of its host");
    }
    set_limit(session, SESSION_LOOK_UP_MS);
    return !lookup_is_done(session->dial->lookup) || take_targets(session, failure);
}

/* The URL's file is read at each attempt, so that a new password needs no reload. */
static bool read_url(const struct session_settings *settings, struct buf *url,
                     struct session_failure *failure)
{
    struct error error;

    if (settings->url != NULL) {
        buf_text(url, settings->url);
        return true;
    }
    return file_read_secret(settings->url_file, url, &error) ||
           error_set(&failure->error, "%s: %s", settings->url_file, error.text);
}

static bool start_dial(struct session *session, struct session_failure *failure)
{
    const struct session_settings *settings = session->settings;
    struct buf url = {0};
    bool good = false;

    if (!read_url(settings, &url, failure) ||
        !conninfo_parse(url.bytes, settings->application_name, &session->dial->conninfo,
                        &failure->error)) {
        goto cleanup;
    }
    if (settings->only_address > 0) {
        conninfo_set(&session->dial->conninfo, "target_session_attrs", "any");
    }
    good = start_look_up(session, failure);
cleanup:
    buf_release(&url);
    return good;
}

void dial_free(struct dial *dial)
{
    if (dial != NULL) {
        conninfo_release(&dial->conninfo);
        lookup_free(dial->lookup);
        memory_free(dial->order);
        memory_free(dial);
    }
}

/* Adds a message about the current address, in the form of libpq's own messages, so that all
 * addresses in a line look alike. */
static void add_about_target(const struct session *session, const char *what,
                             struct session_failure *failure)
{
    const struct target *target = current(session);
    struct buf text = {0};

    buf_printf(&text, "connection to server at \"%s\"",
               target->host != NULL ? target->host : "its default");
    if (target->address != NULL && target->host != NULL) {
        buf_printf(&text, " (%s)", target->address);
    }
    buf_printf(&text, ": %s", what);
    failure_add(failure, text.bytes);
    buf_release(&text);
}

/* Continues when an answer of the server has come. The session is ready only if no statement of
 * the set-up was refused and the server is not a superseded primary. */
static enum session_state set_up(struct session *session, struct session_failure *failure)
{
    if (!set_up_read(session, NO_STATEMENT - 1, failure) || !session_flush(session)) {
        /* If the server has sent an error, that is the reason. */
        failure_add(failure, session->refused != NULL ? PQresultErrorMessage(session->refused)
                                                      : session_error(session));
        return leave_address(session, failure);
    }
    if (session->setting_up < NO_STATEMENT) {
        wait_for_reply(session);
        return SESSION_CONNECTING;
    }
    if (session->is_set_up_refused) {
        return SESSION_FAILED;
    }
    if (session_is_superseded(session)) {
        add_about_target(session, "another primary has taken over from this one", failure);
        return leave_address(session, failure);
    }
    addresses_note_good(session->dial->memory, current(session));
    dial_free(session->dial);
    session->dial = NULL;
    session->is_in_doubt = false;
    return SESSION_READY;
}

/* The log-in is done. From here on an error is not libpq's: it is the server's error about a
 * statement. */
static enum session_state begin_set_up(struct session *session, struct session_failure *failure)
{
    session->dial->stage = STAGE_SET_UP;
    session->server = (struct server){0}; /* of another address */
    session->timeline = NULL;
    session->is_set_up_refused = false;
    session->setting_up = session->settings->prepares ? BEGIN_STATEMENT : NO_STATEMENT;
    PQsetErrorVerbosity(session->pg, PQERRORS_DEFAULT);
    *failure = (struct session_failure){.error = {""}}; /* of other addresses */
    if (!set_up_send(session)) {
        failure_add(failure, PQerrorMessage(session->pg));
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
    snprintf(failure->error.text, sizeof failure->error.text,
             "this is PostgreSQL %s: Cruddur needs %d or later",
             version != NULL ? version : "of unknown version", SESSION_SERVER_VERSION_MIN / 10000);
    failure->is_unfit = true;
    return true;
}

static enum session_state poll_libpq(struct session *session, struct session_failure *failure)
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
        failure_add_refusal(failure, PQerrorMessage(session->pg));
        return leave_address(session, failure);
    }
    wait_for_reply(session);
    return SESSION_CONNECTING;
}

/* The socket is not ready. Reports a long silence, or leaves the address when its time is over. */
static enum session_state expire_target(struct session *session, struct session_failure *failure)
{
    int64_t now_us = clock_us();

    if (now_us < dial_next_us(session)) {
        return SESSION_CONNECTING;
    }
    if (session->dial->targets == NULL) {
        failure_set(failure, "no answer of the resolver in time");
        return SESSION_FAILED;
    }
    add_about_target(session, "no answer in time", failure);
    if (now_us < session->dial->end_us) {
        session->dial->report_us = INT64_MAX;
        return SESSION_HELD_UP;
    }
    addresses_note_silent(session->dial->memory, current(session));
    return leave_address(session, failure);
}

enum session_state dial_advance(struct session *session, bool is_ready,
                                struct session_failure *failure)
{
    if (session->dial == NULL) {
        return SESSION_READY;
    }
    if (!is_ready) {
        return expire_target(session, failure);
    }
    switch (session->dial->stage) {
    case STAGE_LOOK_UP:
        return take_targets(session, failure) ? SESSION_CONNECTING : SESSION_FAILED;
    case STAGE_CONNECT:
        return poll_libpq(session, failure);
    case STAGE_SET_UP:
        return set_up(session, failure);
    }
    return SESSION_READY;
}

struct session *dial_start(const struct session_settings *settings, const struct catalog *catalog,
                           struct session_memory *memory, struct session_failure *failure)
{
    struct session *session = memory_zeroed(sizeof *session);

    *failure = (struct session_failure){.error = {""}};
    session->settings = settings;
    session->catalog = catalog;
    session->dial = memory_zeroed(sizeof *session->dial);
    session->dial->memory = memory;
    if (start_dial(session, failure)) {
        return session;
    }
    session_close(session);
    return NULL;
}

struct session *dial_open(const struct session_settings *settings, const struct catalog *catalog,
                          struct session_memory *memory, int64_t deadline_us,
                          struct session_failure *failure)
{
    struct session *session = dial_start(settings, catalog, memory, failure);

    while (session != NULL) {
        int64_t next_us = dial_next_us(session);
        bool is_ready = session_wait(session, next_us < deadline_us ? next_us : deadline_us);
        if (!is_ready && clock_us() >= deadline_us) {
            failure_add(failure, "no answer in time");
            break;
        }
        enum session_state state = dial_advance(session, is_ready, failure);
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

int dial_fd(const struct session *session)
{
    return session->dial->stage == STAGE_LOOK_UP ? lookup_fd(session->dial->lookup)
                                                 : PQsocket(session->pg);
}
