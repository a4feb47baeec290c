/* A session in use. libpq's connection is in pipeline mode and does not block: what is sent stays
 * in libpq's buffer until the socket takes it, and answers are read when the socket is readable. */
#include "db/session.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "db/notices.h"
#include "db/session_private.h"
#include "db/timelines.h"

/* Whether a commit did not wait for the synchronous standby. PostgreSQL reports this with the
 * commit, in a warning whose SQLSTATE other warnings have, too, and whose text is in the language
 * of the server. So the warning is recognised by its place in PostgreSQL's source. */
static bool is_doubt(const PGresult *notice)
{
    const char *sqlstate = PQresultErrorField(notice, PG_DIAG_SQLSTATE);
    const char *source = PQresultErrorField(notice, PG_DIAG_SOURCE_FILE);

    return sqlstate != NULL && (strcmp(sqlstate, "01000") == 0 || strcmp(sqlstate, "57P01") == 0) &&
           source != NULL && strcmp(source, "syncrep.c") == 0;
}

void session_take_notice(void *context, const PGresult *notice)
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

    /* The rest of a TLS record that libpq has not taken is in OpenSSL's buffer and no longer in
     * the socket, so the socket does not become readable for it. */
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

int session_fd(const struct session *session)
{
    return session->dial != NULL ? dial_fd(session) : PQsocket(session->pg);
}

bool session_wants_to_write(const struct session *session)
{
    return session->wants_to_write;
}

/* For processes and moments without an epoll loop: --check, a trial, the end of a process. */
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

/* A reset instead of an orderly end, so that the kernel does not go on sending a write that was
 * given up. */
void session_abandon(const struct session *session)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};

    setsockopt(PQsocket(session->pg), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

void session_close(struct session *session)
{
    if (session != NULL) {
        dial_free(session->dial);
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

int64_t session_run(const struct session *session)
{
    return session->server.run;
}

bool session_is_superseded(const struct session *session)
{
    return session->timeline != NULL && !session->server.is_standby &&
           atomic_load_explicit(&session->timeline->latest, memory_order_relaxed) >
               session->server.timeline;
}

/* libpq has no text if this process has given up the session. */
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
