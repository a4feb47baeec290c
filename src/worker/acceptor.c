/* Both queues are polled with EPOLLEXCLUSIVE, so the kernel wakes one worker for a connection. A
 * worker that took one leaves the kernel's list and joins it again at the end, because otherwise
 * the first worker in the list would be woken each time. Only one connection is taken from a queue
 * in a turn of the loop, so that another worker gets the next one. */
#include "worker/acceptor.h"

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

/* --- the two queues in the epoll set --- */

static void accept_ready(void *of, uint32_t events)
{
    struct acceptor *acceptor = of;

    (void)events;
    acceptor->is_accept_ready = true;
}

static void handover_ready(void *of, uint32_t events)
{
    struct acceptor *acceptor = of;

    (void)events;
    acceptor->is_handover_ready = true;
}

/* The workers that poll a descriptor with EPOLLEXCLUSIVE are in a list. The kernel wakes the first
 * one in it that sleeps. */
static bool add_exclusive(const struct acceptor *acceptor, int fd, const struct watch *watch)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLEXCLUSIVE, .data.ptr = (void *)watch};

    return epoll_ctl(acceptor->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

static bool add_accept_queue(const struct acceptor *acceptor)
{
    return add_exclusive(acceptor, acceptor->setup->listen_fd, &acceptor->accept_watch);
}

static bool add_handover_queue(const struct acceptor *acceptor)
{
    return add_exclusive(acceptor, acceptor->setup->handover.take, &acceptor->handover_watch);
}

static void remove_accept_queue(const struct acceptor *acceptor)
{
    epoll_ctl(acceptor->epoll_fd, EPOLL_CTL_DEL, acceptor->setup->listen_fd, NULL);
}

static void remove_handover_queue(const struct acceptor *acceptor)
{
    epoll_ctl(acceptor->epoll_fd, EPOLL_CTL_DEL, acceptor->setup->handover.take, NULL);
}

bool acceptor_open(struct acceptor *acceptor)
{
    acceptor->accept_watch = (struct watch){accept_ready, acceptor};
    acceptor->handover_watch = (struct watch){handover_ready, acceptor};
    acceptor->state = ACCEPTOR_TAKING;
    return add_accept_queue(acceptor) && add_handover_queue(acceptor);
}

void acceptor_close(struct acceptor *acceptor)
{
    acceptor->state = ACCEPTOR_CLOSED;
    remove_accept_queue(acceptor);
    remove_handover_queue(acceptor);
}

/* --- balance --- */

/* The number of connections without a stream. Those with a stream cost next to nothing. */
static int ordinary(const struct score *score)
{
    return atomic_load(&score->open_connections) - atomic_load(&score->streams.open);
}

/* Whether another worker that accepts should get the next connection: it has over
 * ACCEPTOR_AHEAD_MAX fewer connections without a stream; or not more of these, and over
 * ACCEPTOR_STREAMS_AHEAD_MAX fewer streams. */
static bool is_better(const struct score *other, const struct score *own)
{
    int more = ordinary(own) - ordinary(other);
    int more_streams = atomic_load(&own->streams.open) - atomic_load(&other->streams.open);

    return more > ACCEPTOR_AHEAD_MAX || (more >= 0 && more_streams > ACCEPTOR_STREAMS_AHEAD_MAX);
}

static bool is_ahead(const struct acceptor *acceptor)
{
    const struct scoreboard *scoreboard = acceptor->setup->scoreboard;

    for (size_t i = 0; i < atomic_load(&scoreboard->slots_used); i++) {
        const struct score *score = &scoreboard->scores[i];
        int state = atomic_load(&score->state);

        if ((state == WORKER_IDLE || state == WORKER_BUSY) &&
            is_better(score, acceptor->setup->score)) {
            return true;
        }
    }
    return false;
}

/* Puts the connection into the handover queue and begins to yield. */
static bool pass_connection_on(struct acceptor *acceptor, int fd, const struct buf *buffered)
{
    if (acceptor->state == ACCEPTOR_TAKING) {
        remove_handover_queue(acceptor);
        acceptor->state = ACCEPTOR_YIELDING;
        acceptor->state_end_ms = clock_ms() + ACCEPTOR_PATIENCE_MS;
    }
    if (!handover_give(&acceptor->setup->handover, fd, buffered, 0)) {
        return false;
    }
    close(fd);
    return true;
}

static bool should_pass_on(const struct acceptor *acceptor)
{
    return acceptor->state != ACCEPTOR_CLOSED && clock_ms() >= acceptor->keeps_until_ms &&
           is_ahead(acceptor);
}

/* Ends YIELDING when the handover queue is empty, when this worker is no longer ahead, or when the
 * time is over. */
static void check_yielding(struct acceptor *acceptor)
{
    if (is_ahead(acceptor) && handover_waits(&acceptor->setup->handover)) {
        if (clock_ms() < acceptor->state_end_ms) {
            return;
        }
        acceptor->keeps_until_ms = clock_ms() + ACCEPTOR_KEEP_MS;
    }
    acceptor->state = ACCEPTOR_TAKING;
    add_handover_queue(acceptor);
}

/* --- descriptors --- */

static void pause_taking(struct acceptor *acceptor)
{
    int64_t now_ms = clock_ms();

    if (acceptor->logged_ms == 0 || now_ms - acceptor->logged_ms >= ACCEPTOR_LOG_MS) {
        acceptor->logged_ms = now_ms;
        log_message(LOG_ERROR, "worker", "%d connections, and no descriptor for more: they wait",
                    atomic_load(&acceptor->setup->score->open_connections));
    }
    if (acceptor->state == ACCEPTOR_TAKING) {
        remove_handover_queue(acceptor);
    }
    if (acceptor->state != ACCEPTOR_PAUSED) {
        remove_accept_queue(acceptor);
    }
    acceptor->state = ACCEPTOR_PAUSED;
    acceptor->state_end_ms = now_ms + ACCEPTOR_PAUSE_MS;
}

/* Whether fd, the lowest free descriptor, is among the last ACCEPTOR_RESERVE ones. These are
 * reserved for the database's sessions, the resolver and files. A worker without a connection may
 * use them, so that it serves one connection in any case. */
static bool is_reserved(const struct acceptor *acceptor, int fd)
{
    struct rlimit limit;

    return getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
           (rlim_t)fd + ACCEPTOR_RESERVE >= limit.rlim_cur &&
           atomic_load(&acceptor->setup->score->open_connections) > 0;
}

static bool has_room(const struct acceptor *acceptor)
{
    int lowest = fcntl(acceptor->setup->listen_fd, F_DUPFD_CLOEXEC, 0);

    if (lowest < 0) {
        return false;
    }
    close(lowest);
    return !is_reserved(acceptor, lowest);
}

static void check_pause(struct acceptor *acceptor)
{
    if (clock_ms() < acceptor->state_end_ms) {
        return;
    }
    if (has_room(acceptor)) {
        acceptor->state = ACCEPTOR_TAKING;
        add_accept_queue(acceptor);
        add_handover_queue(acceptor);
    } else {
        acceptor->state_end_ms = clock_ms() + ACCEPTOR_PAUSE_MS;
    }
}

/* --- taking --- */

static void take(struct acceptor *acceptor, int fd, const struct buf *buffered)
{
    if (!should_pass_on(acceptor) || !pass_connection_on(acceptor, fd, buffered)) {
        clients_add(acceptor->clients, fd, buffered);
        if (acceptor->state != ACCEPTOR_CLOSED && is_reserved(acceptor, fd + 1)) {
            pause_taking(acceptor);
        }
    }
}

/* False: the queue is empty, or no connection can be taken. */
static bool accept_one(struct acceptor *acceptor)
{
    int fd = accept4(acceptor->setup->listen_fd, NULL, NULL, SOCK_CLOEXEC);

    if (fd >= 0) {
        take(acceptor, fd, &(struct buf){0});
        return true;
    }
    if (acceptor->state != ACCEPTOR_CLOSED &&
        (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) {
        pause_taking(acceptor);
    }
    return errno == EINTR || errno == ECONNABORTED;
}

static bool take_over_one(struct acceptor *acceptor)
{
    struct buf buffered = {0};
    int fd = handover_take(&acceptor->setup->handover, &buffered);

    if (fd >= 0) {
        take(acceptor, fd, &buffered);
    }
    buf_release(&buffered);
    return fd >= 0;
}

/* Takes one connection, and moves the worker to the end of the kernel's list of workers to wake. */
static void accept_in_turn(struct acceptor *acceptor)
{
    if (accept_one(acceptor) && acceptor->state != ACCEPTOR_PAUSED) {
        remove_accept_queue(acceptor);
        add_accept_queue(acceptor);
    }
}

static void take_over_in_turn(struct acceptor *acceptor)
{
    if (take_over_one(acceptor) && acceptor->state == ACCEPTOR_TAKING) {
        remove_handover_queue(acceptor);
        add_handover_queue(acceptor);
    }
}

void acceptor_proceed(struct acceptor *acceptor)
{
    bool is_accept_ready = acceptor->is_accept_ready;
    bool is_handover_ready = acceptor->is_handover_ready;

    acceptor->is_accept_ready = false;
    acceptor->is_handover_ready = false;
    if (acceptor->state == ACCEPTOR_YIELDING) {
        check_yielding(acceptor);
    }
    if (is_handover_ready && acceptor->state == ACCEPTOR_TAKING) {
        take_over_in_turn(acceptor);
    }
    if (is_accept_ready &&
        (acceptor->state == ACCEPTOR_TAKING || acceptor->state == ACCEPTOR_YIELDING)) {
        accept_in_turn(acceptor);
    }
    if (acceptor->state == ACCEPTOR_PAUSED) {
        check_pause(acceptor);
    }
}

int acceptor_wait_ms(const struct acceptor *acceptor)
{
    switch (acceptor->state) {
    case ACCEPTOR_PAUSED:
        return clock_left_ms(acceptor->state_end_ms);
    case ACCEPTOR_YIELDING:
        return ACCEPTOR_POLL_MS;
    case ACCEPTOR_TAKING:
    case ACCEPTOR_CLOSED:
        break;
    }
    return -1;
}

void acceptor_drain(struct acceptor *acceptor)
{
    int left = acceptor->setup->config->backlog;

    while (take_over_one(acceptor)) {
        /* until the handover queue is empty */
    }
    /* At most as many as the queue holds, because clients may connect faster than this. */
    while (!acceptor->setup->is_shared && left-- > 0 && accept_one(acceptor)) {
        /* until the accept queue is empty */
    }
}
