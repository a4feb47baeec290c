#include "worker/accept.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "config/config.h"
#include "shared/handover.h"
#include "shared/scoreboard.h"
#include "worker/client.h"
#include "worker/worker.h"

/* --- where they come from --- */

/* Workers wait there in a row, of which the kernel wakes the first that has nothing to do. */
static bool watch(const struct arrivals *arrivals, const int *fd)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLEXCLUSIVE, .data.ptr = (void *)fd};

    return epoll_ctl(arrivals->epoll_fd, EPOLL_CTL_ADD, *fd, &event) == 0;
}

static void unwatch(const struct arrivals *arrivals, const int *fd)
{
    epoll_ctl(arrivals->epoll_fd, EPOLL_CTL_DEL, *fd, NULL);
}

bool arrivals_open(struct arrivals *arrivals)
{
    arrivals->is_open = true;
    return watch(arrivals, &arrivals->place->listen_fd) &&
           watch(arrivals, &arrivals->place->handover.take);
}

void arrivals_close(struct arrivals *arrivals)
{
    arrivals->is_open = false;
    arrivals->accept_again_ms = 0;
    arrivals->patient_until_ms = 0;
    unwatch(arrivals, &arrivals->place->listen_fd);
    unwatch(arrivals, &arrivals->place->handover.take);
}

bool arrivals_event(struct arrivals *arrivals, const void *who)
{
    if (who == &arrivals->place->listen_fd) {
        arrivals->has_connection = true;
    } else if (who == &arrivals->place->handover.take) {
        arrivals->has_handover = true;
    } else {
        return false;
    }
    return true;
}

/* --- sharing out --- */

/* Whether another worker has so many fewer connections that the next one should be its. */
static bool is_ahead(const struct arrivals *arrivals)
{
    const struct scoreboard *scoreboard = arrivals->place->scoreboard;
    int mine = atomic_load(&arrivals->place->score->open_connections);

    for (size_t i = 0; i < atomic_load(&scoreboard->places); i++) {
        const struct score *score = &scoreboard->scores[i];
        int state = atomic_load(&score->state);

        if ((state == WORKER_IDLE || state == WORKER_BUSY) &&
            mine - atomic_load(&score->open_connections) > ARRIVALS_AHEAD_MAX) {
            return true;
        }
    }
    return false;
}

static bool passes_on(const struct arrivals *arrivals)
{
    return arrivals->is_open && clock_ms() >= arrivals->pass_again_ms && is_ahead(arrivals);
}

/* To whoever is first in the other row, where this one doesn't stand for a moment. Who is ahead too
 * passes it on again, until it comes to the one that has fewest. */
static bool pass_on(struct arrivals *arrivals, int fd, const struct buf *arrived)
{
    if (arrivals->patient_until_ms == 0) {
        unwatch(arrivals, &arrivals->place->handover.take);
        arrivals->patient_until_ms = clock_ms() + ARRIVALS_PATIENCE_MS;
    }
    if (!handover_give(&arrivals->place->handover, fd, arrived, 0)) {
        return false;
    }
    close(fd);
    return true;
}

/* --- taking --- */

/* Nothing is accepted or taken over for a while. */
static void pause_taking(struct arrivals *arrivals)
{
    int64_t now_ms = clock_ms();

    if (arrivals->logged_ms == 0 || now_ms - arrivals->logged_ms >= ARRIVALS_LOG_MS) {
        arrivals->logged_ms = now_ms;
        log_message(LOG_ERROR, "worker", "%d connections, and no descriptor for more: they wait",
                    atomic_load(&arrivals->place->score->open_connections));
    }
    if (arrivals->accept_again_ms == 0) {
        unwatch(arrivals, &arrivals->place->listen_fd);
        if (arrivals->patient_until_ms == 0) {
            unwatch(arrivals, &arrivals->place->handover.take);
        }
    }
    arrivals->patient_until_ms = 0;
    arrivals->accept_again_ms = now_ms + ARRIVALS_PAUSE_MS;
}

static void resume_taking(struct arrivals *arrivals)
{
    arrivals->accept_again_ms = 0;
    watch(arrivals, &arrivals->place->listen_fd);
    watch(arrivals, &arrivals->place->handover.take);
}

/* Whether fd, the lowest that was free, is among the last ones, which the database's sessions, the
 * resolver and files need. One connection is served in any case. */
static bool is_reserved(const struct arrivals *arrivals, int fd)
{
    struct rlimit limit;

    return getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
           (rlim_t)fd + ARRIVALS_RESERVE >= limit.rlim_cur &&
           atomic_load(&arrivals->place->score->open_connections) > 0;
}

static bool has_room(const struct arrivals *arrivals)
{
    int lowest = fcntl(arrivals->place->listen_fd, F_DUPFD_CLOEXEC, 0);

    if (lowest < 0) {
        return false;
    }
    close(lowest);
    return !is_reserved(arrivals, lowest);
}

static void take(struct arrivals *arrivals, int fd, const struct buf *arrived)
{
    if (!passes_on(arrivals) || !pass_on(arrivals, fd, arrived)) {
        clients_add(arrivals->clients, fd, arrived);
        if (arrivals->is_open && is_reserved(arrivals, fd + 1)) {
            pause_taking(arrivals);
        }
    }
}

/* False when there is none to be had. */
static bool accept_one(struct arrivals *arrivals)
{
    int fd = accept4(arrivals->place->listen_fd, NULL, NULL, SOCK_CLOEXEC);

    if (fd >= 0) {
        take(arrivals, fd, &(struct buf){0});
        return true;
    }
    if (arrivals->is_open &&
        (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) {
        pause_taking(arrivals);
    }
    return errno == EINTR || errno == ECONNABORTED;
}

static bool take_over_one(struct arrivals *arrivals)
{
    struct buf arrived = {0};
    int fd = handover_take(&arrivals->place->handover, &arrived);

    if (fd >= 0) {
        take(arrivals, fd, &arrived);
    }
    buf_release(&arrived);
    return fd >= 0;
}

/* One that has got a connection goes to the end of the row. */
static void accept_in_turn(struct arrivals *arrivals)
{
    if (accept_one(arrivals) && arrivals->accept_again_ms == 0) {
        unwatch(arrivals, &arrivals->place->listen_fd);
        watch(arrivals, &arrivals->place->listen_fd);
    }
}

static void take_over_in_turn(struct arrivals *arrivals)
{
    if (take_over_one(arrivals) && arrivals->patient_until_ms == 0 &&
        arrivals->accept_again_ms == 0) {
        unwatch(arrivals, &arrivals->place->handover.take);
        watch(arrivals, &arrivals->place->handover.take);
    }
}

/* Stands in the other row again once all that was passed on is taken, or somebody else has most; or
 * if neither comes true: those that have fewer are too busy then, or stuck. */
static void look_after_others(struct arrivals *arrivals)
{
    if (is_ahead(arrivals) && handover_waits(&arrivals->place->handover)) {
        if (clock_ms() < arrivals->patient_until_ms) {
            return;
        }
        arrivals->pass_again_ms = clock_ms() + ARRIVALS_KEEP_MS;
    }
    arrivals->patient_until_ms = 0;
    watch(arrivals, &arrivals->place->handover.take);
}

void arrivals_proceed(struct arrivals *arrivals)
{
    bool has_connection = arrivals->has_connection, has_handover = arrivals->has_handover;

    arrivals->has_connection = false;
    arrivals->has_handover = false;
    if (arrivals->patient_until_ms != 0) {
        look_after_others(arrivals);
    }
    if (has_handover && arrivals->patient_until_ms == 0 && arrivals->accept_again_ms == 0) {
        take_over_in_turn(arrivals);
    }
    if (has_connection && arrivals->accept_again_ms == 0) {
        accept_in_turn(arrivals);
    }
    if (arrivals->accept_again_ms != 0 && clock_ms() >= arrivals->accept_again_ms) {
        if (has_room(arrivals)) {
            resume_taking(arrivals);
        } else {
            arrivals->accept_again_ms = clock_ms() + ARRIVALS_PAUSE_MS;
        }
    }
}

int arrivals_wait_ms(const struct arrivals *arrivals)
{
    int64_t accept_ms = arrivals->accept_again_ms;

    return clock_sooner(accept_ms != 0 ? clock_left_ms(accept_ms) : -1,
                        arrivals->patient_until_ms != 0 ? ARRIVALS_LOOK_MS : -1);
}

void arrivals_take_rest(struct arrivals *arrivals)
{
    int left = arrivals->place->config->backlog;

    while (take_over_one(arrivals)) {
        /* until that queue is empty */
    }
    while (!arrivals->place->is_shared && left-- > 0 && accept_one(arrivals)) {
        /* likewise */
    }
}
