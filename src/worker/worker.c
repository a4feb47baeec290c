/* A worker serves until it gets a signal to leave, or the master has died. Then it takes no
 * connection any more, serves the requests that are under way, and passes on or closes its other
 * connections.
 *
 *     LEAVE_NOT ──TERM, or the master's end──► LEAVE_DRAIN      serves what waits, then closes
 *     LEAVE_NOT ──USR1──► LEAVE_HAND_OVER  gives idle connections to the other workers at once
 *     LEAVE_HAND_OVER ──TERM──► LEAVE_DRAIN
 *
 * At TERM all workers leave, and each reads the handover queue for the last time. A connection that
 * is given away after that would be lost. So a worker that has USR1 and TERM drains, and it looks
 * for TERM once more after it has given its connections away: if there is none, the others have got
 * none yet either (pool_end()), and read the queue later.
 *
 * The order within a turn of the loop matters: the sockets are read first and the statements sent
 * last, so that the statements of all requests of a turn leave in one write. */
#include "worker/worker.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "config/config.h"
#include "http/fastcgi.h"
#include "shared/scoreboard.h"
#include "worker/acceptor.h"
#include "worker/client.h"
#include "worker/sandbox.h"
#include "worker/service.h"

enum {
    EVENTS_MAX = 64,
    MASTER_GONE_MS = 800, /* so that all workers end within a second, on a busy machine too */
    BUSY_TURN_MS = 200,   /* so that the master can distinguish waiting from being stuck */
    GIVE_BACK_MS = 1000   /* between two returns of free memory to the system */
};

struct worker {
    const struct worker_setup *setup;
    struct service service;
    struct clients clients;
    struct acceptor acceptor;
    int64_t give_back_ms; /* when free memory is given back; 0: no event since the last time */
    bool has_told;        /* has logged that connections cannot be left for the next server */
    bool has_drained;     /* has read both queues for the last time */
    int epoll_fd;
    struct watch life_watch, signal_watch;
    int signal_fd; /* for TERM and USR1, so that the loop handles them under any load */
    enum leave { LEAVE_NOT, LEAVE_DRAIN, LEAVE_HAND_OVER } leave;
};

/* Handles SIGUSR2, which the kernel sends when the master has died. The loop notices the death,
 * too, and drains; the timer bounds the time for that. */
static void end_soon(int signal_number)
{
    const struct itimerval once = {.it_value = {.tv_usec = MASTER_GONE_MS * 1000}};

    (void)signal_number;
    setitimer(ITIMER_REAL, &once, NULL);
}

static int set_signals(void)
{
    struct sigaction end = {.sa_handler = end_soon, .sa_flags = SA_RESTART};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct sigaction usual = {.sa_handler = SIG_DFL};
    sigset_t open_signals, leave_signals;

    sigaction(SIGUSR2, &end, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
    sigaction(SIGHUP, &ignore, NULL);  /* the terminal's; the master decides */
    sigaction(SIGINT, &ignore, NULL);  /* likewise */
    sigaction(SIGABRT, &ignore, NULL); /* systemd's, meant for a master that hangs; abort() works */
    sigaction(SIGQUIT, &usual, NULL);
    sigaction(SIGCHLD, &usual, NULL);
    prctl(PR_SET_PDEATHSIG, SIGUSR2);

    sigemptyset(&open_signals);
    sigaddset(&open_signals, SIGUSR2);
    sigaddset(&open_signals, SIGQUIT);
    sigaddset(&open_signals, SIGALRM);
    sigprocmask(SIG_UNBLOCK, &open_signals, NULL);
    sigemptyset(&leave_signals);
    sigaddset(&leave_signals, SIGTERM);
    sigaddset(&leave_signals, SIGUSR1);
    return signalfd(-1, &leave_signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* With SCHED_BATCH (sched(7)) a worker does not preempt the process that wakes it. So nginx goes
 * on, and has more requests for the worker by the time the worker runs. A policy that was set for
 * the pool from outside stays. */
static void run_in_batches(void)
{
    const struct sched_param none = {0};

    if (sched_getscheduler(0) == SCHED_OTHER && sched_setscheduler(0, SCHED_BATCH, &none) != 0) {
        log_errno(LOG_DEBUG, "worker", "SCHED_BATCH");
    }
}

static bool add_watch(const struct worker *worker, int fd, const struct watch *watch)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = (void *)watch};

    return epoll_ctl(worker->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

/* Milliseconds until there is something to do without an event, or -1. */
static int wait_ms(const struct worker *worker)
{
    int first_ms =
        clock_sooner(clients_wait_ms(&worker->clients), service_wait_ms(&worker->service));

    first_ms = clock_sooner(first_ms, acceptor_wait_ms(&worker->acceptor));
    if (clients_are_busy(&worker->clients)) {
        first_ms = clock_sooner(first_ms, BUSY_TURN_MS);
    }
    if (worker->give_back_ms != 0) {
        first_ms = clock_sooner(first_ms, clock_left_ms(worker->give_back_ms));
    }
    return first_ms;
}

/* Returns free memory to the system, for instance after many requests at once. */
static void give_memory_back(struct worker *worker, bool has_worked)
{
    if (worker->give_back_ms == 0) {
        worker->give_back_ms = has_worked ? clock_ms() + GIVE_BACK_MS : 0;
    } else if (clock_ms() >= worker->give_back_ms) {
        memory_give_back();
        worker->give_back_ms = 0;
    }
}

static void read_signals(struct worker *worker)
{
    struct signalfd_siginfo signal_info;

    while (read(worker->signal_fd, &signal_info, sizeof signal_info) == sizeof signal_info) {
        if (signal_info.ssi_signo == SIGTERM) {
            worker->leave = LEAVE_DRAIN;
        } else if (worker->leave == LEAVE_NOT) {
            worker->leave = LEAVE_HAND_OVER;
        }
    }
}

static void signal_ready(void *of, uint32_t events)
{
    (void)events;
    read_signals(of);
}

/* The master has ended. */
static void life_ready(void *of, uint32_t events)
{
    struct worker *worker = of;

    (void)events;
    worker->leave = LEAVE_DRAIN;
}

/* Waits for events and serves them: requests first, then the database, so that the statements of
 * all requests are sent together. */
static void serve_events(struct worker *worker, int timeout_ms)
{
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(worker->epoll_fd, events, EVENTS_MAX, timeout_ms);

    for (int i = 0; i < count; i++) {
        const struct watch *watch = events[i].data.ptr;

        watch->ready(watch->of, events[i].events);
    }
    acceptor_proceed(&worker->acceptor);
    give_memory_back(worker, count > 0);
    clients_proceed(&worker->clients);
    service_proceed(&worker->service);
    score_turn(worker->setup->score, clients_are_busy(&worker->clients));
}

/* Takes the connections that are left in the queues. Then it closes a socket of our own, so that
 * the kernel refuses further connections once all workers have done so; over TCP it would accept them
 * as long as one process has the socket. */
static void take_last_connections(struct worker *worker)
{
    acceptor_drain(&worker->acceptor);
    if (!worker->setup->is_handed_over) {
        close(worker->setup->listen_fd);
    }
    worker->has_drained = true;
    clients_poll(&worker->clients); /* among them those that other workers have passed on */
}

/* Gives away the connections whose request is not being served, if there is a process that takes
 * them. After TERM it takes those in the queues first, once. */
static void give_connections_away(struct worker *worker)
{
    if (worker->leave == LEAVE_HAND_OVER) {
        clients_hand_over(&worker->clients, &worker->setup->handover);
        return;
    }
    if (!worker->has_drained) {
        take_last_connections(worker);
    }
    if (worker->setup->is_handed_over &&
        !clients_leave(&worker->clients, worker->setup->listen_fd) && !worker->has_told) {
        log_errno(LOG_WARNING, "worker",
                  "the next server on the socket doesn't get this one's connections");
        worker->has_told = true;
    }
}

/* Serves until no request is under way. False when the time was up before. */
static bool settle(struct worker *worker, int64_t end_ms)
{
    service_proceed(&worker->service);
    while (clients_are_busy(&worker->clients)) {
        int left = clock_left_ms(end_ms);

        if (left == 0) {
            return false;
        }
        serve_events(worker, clock_sooner(wait_ms(worker), left));
        clients_stop_awaiting_keys(&worker->clients);
        give_connections_away(worker);
    }
    return true;
}

static void leave(struct worker *worker)
{
    int64_t end_ms = clock_ms() + worker->setup->config->drain_timeout;

    score_set(worker->setup->score, WORKER_DRAINING, NULL);
    acceptor_close(&worker->acceptor);
    epoll_ctl(worker->epoll_fd, EPOLL_CTL_DEL, worker->setup->life_fd, NULL);
    clients_end_streams(&worker->clients);
    clients_stop_awaiting_keys(&worker->clients);
    do {
        give_connections_away(worker);
        if (settle(worker, end_ms)) {
            clients_poll(&worker->clients);
            settle(worker, end_ms);
        }
        read_signals(worker);
    } while (worker->leave == LEAVE_DRAIN && !worker->has_drained);
    clients_close(&worker->clients);
}

static bool start(struct worker *worker)
{
    const struct worker_setup *setup = worker->setup;

    clients_init(&worker->clients, &worker->service, setup->score, setup->scoreboard,
                 worker->epoll_fd);
    worker->acceptor = (struct acceptor){
        .setup = setup, .clients = &worker->clients, .epoll_fd = worker->epoll_fd};
    worker->life_watch = (struct watch){life_ready, worker};
    worker->signal_watch = (struct watch){signal_ready, worker};
    if (worker->epoll_fd < 0 || !acceptor_open(&worker->acceptor) ||
        !add_watch(worker, setup->life_fd, &worker->life_watch) ||
        !add_watch(worker, worker->signal_fd, &worker->signal_watch)) {
        log_errno(LOG_ERROR, "worker", "epoll");
        return false;
    }
    return true;
}

/* While the worker tries its sessions TERM ends it at once: it serves no request yet, but over
 * TCP its copy of the listening socket accepts connections. */
static bool worker_fits(struct worker *worker)
{
    sigset_t term;

    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_UNBLOCK, &term, NULL);
    bool does_fit = service_fits(&worker->service, worker->setup->scoreboard);
    sigprocmask(SIG_BLOCK, &term, NULL);
    return does_fit;
}

int worker_run(const struct worker_setup *setup)
{
    char name[32];
    snprintf(name, sizeof name, "cruddurd worker %d", setup->number);
    struct worker worker = {.setup = setup};
    int status = EXIT_FAILURE;

    worker.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    const struct service_links links = {.keypage = setup->keypage,
                                        .mark = setup->mark,
                                        .score = setup->score,
                                        .scoreboard = setup->scoreboard,
                                        .timelines = setup->timelines,
                                        .claims = setup->claims,
                                        .slot = (size_t)(setup->score - setup->scoreboard->scores),
                                        .replicas = setup->replicas,
                                        .spans = setup->spans,
                                        .ring = setup->ring,
                                        .epoll_fd = worker.epoll_fd};
    prctl(PR_SET_NAME, "cruddur-worker");
    run_in_batches();
    srandom((unsigned)getpid());
    setenv("RES_OPTIONS", "timeout:1 attempts:1", 0); /* no look-up outlives its attempt for long */
    fastcgi_setup();
    worker.signal_fd = set_signals();
    service_init(&worker.service, setup->config, setup->catalog, name, &links);
    if (setup->must_fit && !worker_fits(&worker)) {
        status = WORKER_EXIT_UNFIT;
    } else if (start(&worker) && sandbox_enter(setup->config, setup->score)) {
        score_set(setup->score, WORKER_IDLE, NULL); /* pool_has_begun() waits for this */
        while (worker.leave == LEAVE_NOT) {
            serve_events(&worker, wait_ms(&worker));
        }
        leave(&worker);
        status = EXIT_SUCCESS;
    }
    service_release(&worker.service);
    return status;
}
