#include "db/link.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "base/log.h"

enum { LOG_FAILURE_MS = 60000 };

void link_init(struct link *link, const struct session_settings *settings, int patience_ms,
               const struct catalog *catalog, int epoll_fd, void *who)
{
    static struct session_counts nobodys;

    *link = (struct link){.settings = settings,
                          .counts = settings->counts != NULL ? settings->counts : &nobodys,
                          .patience_ms = patience_ms,
                          .catalog = catalog,
                          .who = who,
                          .epoll_fd = epoll_fd,
                          .watched_fd = -1};
}

void link_release(struct link *link)
{
    session_close(link->session);
}

static void unwatch(struct link *link)
{
    if (link->watched_fd >= 0) {
        epoll_ctl(link->epoll_fd, EPOLL_CTL_DEL, link->watched_fd, NULL);
        link->watched_fd = -1;
    }
}

void link_watch(struct link *link)
{
    struct epoll_event event = {.data.ptr = link->who};

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
    unwatch(link);
    session_close(link->session);
    link->session = NULL;
    link->is_ready = false;
    link->host++;
}

/* A server that crashes takes new sessions for a moment before it ends them all. */
void link_drop_useless(struct link *link)
{
    link_drop(link);
    if (!link->was_of_use) {
        link->backoff.next_us = clock_us() + LINK_RETRY_MS * INT64_C(1000);
    }
}

/* One line a minute; one more when what is wrong is no longer the way to the database but its schema,
 * or the other way round. */
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
    log_message(LOG_WARNING, "database", "no connection: %.*s", (int)strcspn(failure->text, "\n"),
                failure->text);
}

bool link_is_away(const struct link *link)
{
    return link->away_since_us != 0 &&
           (link->failure.is_unfit /* which no waiting mends */ ||
            clock_us() - link->away_since_us >= link->patience_ms * INT64_C(1000));
}

bool link_is_pausing(const struct link *link)
{
    return link->session == NULL && clock_us() < link->backoff.next_us;
}

/* Gives false. */
static bool attempt_failed(struct link *link)
{
    int64_t now_us = clock_us();

    counter_add(&link->counts->failed, 1);
    link_drop(link);
    if (link->away_since_us == 0) {
        link->away_since_us = now_us;
    }
    backoff_failed(&link->backoff, now_us, link_is_away(link) ? BACKOFF_MAX_MS : LINK_RETRY_MS,
                   (uint32_t)random());
    log_failure(link);
    return false;
}

static void attempt_succeeded(struct link *link)
{
    if (link->is_logged) {
        log_message(LOG_INFO, "database", "connected again");
        link->is_logged = false;
    }
    counter_add(&link->counts->begun, 1);
    backoff_succeeded(&link->backoff);
    link->away_since_us = 0;
    link->is_ready = true;
    link->was_of_use = false;
}

bool link_connect_if_due(struct link *link)
{
    int64_t now_us = clock_us();

    if (link->session != NULL || now_us < link->backoff.next_us) {
        return true;
    }
    link->attempt_end_us = now_us + LINK_CONNECT_MS * INT64_C(1000);
    link->session = session_start(link->settings, link->catalog, link->host, &link->failure);
    return link->session != NULL || attempt_failed(link);
}

bool link_go_on_connecting(struct link *link)
{
    unwatch(link); /* the socket may change, behind the same number even */
    switch (session_advance(link->session, &link->failure)) {
    case SESSION_READY:
        attempt_succeeded(link);
        break;
    case SESSION_FAILED:
        return attempt_failed(link);
    case SESSION_CONNECTING:
        break;
    }
    return true;
}

bool link_expire(struct link *link)
{
    if (link->session == NULL || link->is_ready || clock_us() < link->attempt_end_us) {
        return true;
    }
    strcpy(link->failure.text, "no answer in time");
    return attempt_failed(link);
}

int64_t link_next_us(const struct link *link)
{
    if (link->session == NULL) {
        return link->backoff.next_us;
    }
    return link->is_ready ? INT64_MAX : link->attempt_end_us;
}

bool link_fits(struct link *link)
{
    int64_t deadline_us = clock_us() + LINK_CONNECT_MS * INT64_C(1000);

    link->session =
        session_open(link->settings, link->catalog, link->host, deadline_us, &link->failure);
    if (link->session == NULL) {
        attempt_failed(link);
        return !link->is_unfit;
    }
    attempt_succeeded(link);
    if (!session_may_run_all(link->session, deadline_us, &link->failure)) {
        log_failure(link);
        link_drop(link); /* answers to that may still come */
        return !link->failure.is_unfit;
    }
    link_watch(link);
    return true;
}
