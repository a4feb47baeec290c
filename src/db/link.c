/* A link owns the session, and is in one of three states:
 *
 *     no session   session is NULL; the next attempt is not before backoff.next_us
 *     connecting   session is set, is_ready is false; dial.c goes on when the socket is ready or at
 *                  dial_next_us
 *     ready        is_ready is true; the user sends and receives
 *
 * Until attempts have failed for patience_ms, the pause between them is about LINK_RETRY_MS at
 * most, because a restart or a failover takes about a second. After that the outage is known:
 * link_is_away is true, the user fails its statements at once, and the pauses grow. The log has
 * one line a minute about it. */
#include "db/link.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "base/counter.h"
#include "base/log.h"
#include "db/trial.h"

enum { LOG_FAILURE_MS = 60000 };

void link_init(struct link *link, const struct session_settings *settings, int patience_ms,
               const struct catalog *catalog, int epoll_fd, void *event_data)
{
    static struct session_counts uncounted;

    *link = (struct link){.settings = settings,
                          .counts = settings->counts != NULL ? settings->counts : &uncounted,
                          .patience_ms = patience_ms,
                          .catalog = catalog,
                          .event_data = event_data,
                          .epoll_fd = epoll_fd,
                          .watched_fd = -1};
}

void link_release(struct link *link)
{
    atomic_fetch_sub(&link->counts->open, link->is_ready);
    session_close(link->session);
}

/* Call this before libpq may close the socket. A closed descriptor leaves the set by itself, but
 * its number may be used again. */
static void unwatch_socket(struct link *link)
{
    if (link->watched_fd >= 0) {
        epoll_ctl(link->epoll_fd, EPOLL_CTL_DEL, link->watched_fd, NULL);
        link->watched_fd = -1;
    }
}

/* epoll_ctl is only called when the wanted events have changed, so in the usual case there is no
 * system call. */
void link_watch(struct link *link)
{
    struct epoll_event event = {.data.ptr = link->event_data};

    if (link->epoll_fd < 0 || link->session == NULL) {
        return;
    }
    event.events = session_wants_to_write(link->session) ? EPOLLIN | EPOLLOUT : EPOLLIN;
    bool is_watched = link->watched_fd >= 0;
    if (is_watched && link->watched_events == event.events) {
        return;
    }
    link->watched_fd = session_fd(link->session);
    link->watched_events = event.events;
    if (epoll_ctl(link->epoll_fd, is_watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, link->watched_fd,
                  &event) != 0) {
        log_errno(LOG_ERROR, "database", "epoll_ctl");
    }
}

void link_drop(struct link *link)
{
    counter_add(&link->counts->ended, link->is_ready);
    atomic_fetch_sub(&link->counts->open, link->is_ready);
    unwatch_socket(link);
    session_close(link->session);
    link->session = NULL;
    link->is_ready = false;
}

/* A server that crashes accepts new sessions for a moment before it ends all of them. */
void link_drop_and_wait(struct link *link)
{
    link_drop(link);
    if (!link->served_any) {
        link->backoff.next_us = clock_us() + LINK_RETRY_MS * INT64_C(1000);
    }
}

/* One line a minute, and one more when the cause changes between the connection and the schema. */
static void log_failure(struct link *link)
{
    const struct session_failure *failure = &link->failure;
    int64_t now = clock_ms();

    if (link->is_logged && failure->is_unfit == link->is_unfit &&
        now - link->logged_ms < LOG_FAILURE_MS) {
        return;
    }
    link->is_logged = true;
    link->is_unfit = failure->is_unfit;
    link->logged_ms = now;
    /* One of several addresses of a host may never answer. Where that matters, other log messages
     * report it. */
    log_message(link->settings->only_address > 0 ? LOG_DEBUG : LOG_WARNING, "database",
                "no connection: %.*s", (int)strcspn(failure->error.text, "\n"),
                failure->error.text);
}

bool link_is_away(const struct link *link)
{
    return link->away_since_us != 0 &&
           (link->failure.is_unfit /* waiting does not help */ ||
            clock_us() - link->away_since_us >= link->patience_ms * INT64_C(1000));
}

bool link_is_pausing(const struct link *link)
{
    return link->session == NULL && clock_us() < link->backoff.next_us;
}

/* An address has failed, or all have. */
static void note_failure(struct link *link)
{
    counter_add(&link->counts->failed, 1);
    if (link->away_since_us == 0) {
        link->away_since_us = clock_us();
    }
    log_failure(link);
}

/* The attempt has failed. Returns false. */
static bool end_attempt(struct link *link)
{
    link_drop(link);
    link->lacks_slot = link->failure.lacks_slot;
    note_failure(link);
    backoff_failed(&link->backoff, clock_us(), link_is_away(link) ? BACKOFF_MAX_MS : LINK_RETRY_MS,
                   (uint32_t)random());
    return false;
}

/* Ends an outage: pauses and the log start again from the beginning. */
static void attempt_succeeded(struct link *link)
{
    if (link->is_logged) {
        log_message(link->settings->only_address > 0 ? LOG_DEBUG : LOG_INFO, "database",
                    "connected again");
        link->is_logged = false;
    }
    counter_add(&link->counts->begun, 1);
    atomic_fetch_add(&link->counts->open, 1);
    backoff_succeeded(&link->backoff);
    link->away_since_us = 0;
    link->lacks_slot = false;
    link->is_ready = true;
    link->served_any = false;
}

/* Not due: there is a session already, or the pause is not over. */
bool link_connect_if_due(struct link *link)
{
    int64_t now_us = clock_us();

    if (link->session != NULL || now_us < link->backoff.next_us) {
        return true;
    }
    link->session = dial_start(link->settings, link->catalog, &link->memory, &link->failure);
    return link->session != NULL || end_attempt(link);
}

/* One step of an attempt. SESSION_HELD_UP is a failure of one address: it is reported to the user,
 * and the attempt goes on. */
static bool advance(struct link *link, bool is_ready)
{
    unwatch_socket(link); /* the socket may change, even if its number stays the same */
    switch (dial_advance(link->session, is_ready, &link->failure)) {
    case SESSION_READY:
        attempt_succeeded(link);
        break;
    case SESSION_FAILED:
        return end_attempt(link);
    case SESSION_HELD_UP:
        note_failure(link);
        return false;
    case SESSION_CONNECTING:
        break;
    }
    return true;
}

bool link_go_on_connecting(struct link *link)
{
    return advance(link, true);
}

bool link_expire(struct link *link)
{
    return link->session == NULL || link->is_ready || clock_us() < dial_next_us(link->session) ||
           advance(link, false);
}

/* A session that is ready has no time limit itself; its statements have deadlines. */
int64_t link_next_us(const struct link *link)
{
    if (link->session == NULL) {
        return link->backoff.next_us;
    }
    return link->is_ready ? INT64_MAX : dial_next_us(link->session);
}

/* Returns false. */
static bool refuse_settings(const struct link *link)
{
    log_message(LOG_ERROR, "database", "the new settings don't work: %s", link->failure.error.text);
    return false;
}

/* Tries to connect until there is a session, or it is clear that there will be none. */
static bool connect_now(struct link *link, bool (*is_reached)(const void *context),
                        const void *context)
{
    int64_t end_us = clock_us() + LINK_FITS_MS * INT64_C(1000);

    while (link->session == NULL) {
        link->session =
            dial_open(link->settings, link->catalog, &link->memory, end_us, &link->failure);
        if (link->session != NULL) {
            attempt_succeeded(link);
            break;
        }
        end_attempt(link);
        if (link->failure.is_unfit || link->failure.is_refused || clock_us() >= end_us ||
            link->failure.lacks_slot || !is_reached(context)) {
            break;
        }
        poll(NULL, 0, clock_left_ms(link->backoff.next_us / 1000) + 1);
    }
    return link->session != NULL;
}

/* A reload calls this with the new settings. An outage is no reason to refuse them, because the
 * old settings would not help either. But a server that refuses this login or lacks a column would
 * go on doing so. */
bool link_fits(struct link *link, bool (*is_reached)(const void *context), const void *context)
{
    if (!connect_now(link, is_reached, context)) {
        const struct session_failure *failure = &link->failure;

        return (!failure->is_unfit && !failure->is_refused &&
                (failure->lacks_slot || !is_reached(context))) ||
               refuse_settings(link);
    }
    if (!trial_may_run_all(link->session, clock_us() + LINK_FITS_MS * INT64_C(1000),
                           &link->failure)) {
        link_drop(link); /* answers to the trial may still come */
        return !link->failure.is_unfit || refuse_settings(link);
    }
    link_watch(link);
    return true;
}
