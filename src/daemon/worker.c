#include "daemon/worker.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "daemon/exchange.h"
#include "http/fastcgi.h"

enum {
    EVENTS_MAX = 64,
    MASTER_GONE_SECONDS = 1,
    ACCEPT_PAUSE_MS = 100, /* without descriptors for more connections */
    KEYS_WAIT_MS = 1500,   /* a request may be parked while fresh keys are fetched */
    KEYS_LOOK_MS = 10      /* between looks for them */
};

static const uint32_t CLIENT_EVENTS = EPOLLIN | EPOLLRDHUP | EPOLLET;

/* A connection from the front server and the request on it. */
struct client {
    struct fastcgi *connection;
    struct exchange exchange;
    struct worker *worker;
    int64_t partial_since_ms; /* when a request began to arrive; 0: none is under way */
    int64_t parked_until_ms;  /* its request waits for keys until then; 0: it doesn't */
    struct client *next, **link;
};

struct worker {
    const struct worker_place *place;
    struct service service;
    struct client *clients;
    int partial_count;        /* clients with a request under way */
    int parked_count;         /* clients whose request waits for keys */
    uint32_t keys_generation; /* of the last look at the parked ones */
    int64_t accept_again_ms;  /* no connections are accepted until then; 0: they are */
    int epoll_fd;
    int signal_fd; /* TERM and USR1: as descriptors they get their turn under any load */
    enum leave { LEAVE_NOT, LEAVE_DRAIN, LEAVE_HAND_OVER } leave;
};

/* The kernel's word that the master died. The loop sees that too and drains; this ends a worker
 * that waits for the database just then. */
static void end_soon(int signal_number)
{
    (void)signal_number;
    alarm(MASTER_GONE_SECONDS);
}

static int set_signals(void)
{
    struct sigaction end = {.sa_handler = end_soon, .sa_flags = SA_RESTART};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct sigaction usual = {.sa_handler = SIG_DFL};
    sigset_t open_signals, leave_signals;

    sigaction(SIGUSR2, &end, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
    sigaction(SIGHUP, &ignore, NULL); /* the terminal's; the master decides */
    sigaction(SIGINT, &ignore, NULL); /* likewise */
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

static bool watch(struct worker *worker, int fd, uint32_t events, void *who)
{
    struct epoll_event event = {.events = events, .data.ptr = who};

    return epoll_ctl(worker->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

static void unwatch(struct worker *worker, int fd)
{
    epoll_ctl(worker->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

static void set_partial(struct client *client, bool is_partial)
{
    if (is_partial && client->partial_since_ms == 0) {
        client->partial_since_ms = clock_ms();
        client->worker->partial_count++;
    } else if (!is_partial && client->partial_since_ms != 0) {
        client->partial_since_ms = 0;
        client->worker->partial_count--;
    }
}

static void client_close(struct client *client)
{
    set_partial(client, false);
    *client->link = client->next;
    if (client->next != NULL) {
        client->next->link = client->link;
    }
    fastcgi_close(client->connection);
    exchange_release(&client->exchange);
    memory_free(client);
}

static void client_add(struct worker *worker, int fd)
{
    struct client *client = memory_zeroed(sizeof *client);

    client->connection = fastcgi_open(fd);
    client->worker = worker;
    client->next = worker->clients;
    client->link = &worker->clients;
    if (client->next != NULL) {
        client->next->link = &client->next;
    }
    worker->clients = client;
    atomic_fetch_add_explicit(&worker->place->score->connections, 1, memory_order_relaxed);
    if (!watch(worker, fd, CLIENT_EVENTS, client)) {
        log_errno(LOG_ERROR, "worker", "epoll_ctl");
        client_close(client);
    }
}

/* Watches the two places that connections come from. Workers wait there in a row, of which the
 * kernel always wakes the first: one that has got a connection goes to the end. */
static bool watch_arrivals(struct worker *worker)
{
    const struct worker_place *place = worker->place;

    return watch(worker, place->listen_fd, EPOLLIN | EPOLLEXCLUSIVE, (void *)&place->listen_fd) &&
           watch(worker, place->handover.take, EPOLLIN | EPOLLEXCLUSIVE, (void *)&place->handover);
}

static void unwatch_arrivals(struct worker *worker)
{
    unwatch(worker, worker->place->listen_fd);
    unwatch(worker, worker->place->handover.take);
}

static void go_to_the_end_of_the_row(struct worker *worker)
{
    unwatch_arrivals(worker);
    watch_arrivals(worker);
}

static void pause_accepting(struct worker *worker)
{
    log_errno(LOG_ERROR, "worker", "accept");
    unwatch_arrivals(worker);
    worker->accept_again_ms = clock_ms() + ACCEPT_PAUSE_MS;
}

/* Takes a connection from the listening queue. False when there is none to be had. */
static bool accept_one(struct worker *worker)
{
    int fd = accept4(worker->place->listen_fd, NULL, NULL, SOCK_CLOEXEC);

    if (fd >= 0) {
        client_add(worker, fd);
        return true;
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        pause_accepting(worker);
    }
    return errno == EINTR || errno == ECONNABORTED;
}

/* The same from a worker that left. */
static bool take_over_one(struct worker *worker)
{
    int fd = handover_take(&worker->place->handover);

    if (fd >= 0) {
        client_add(worker, fd);
    }
    return fd >= 0;
}

/* Sends the finished answer and ends the request. False when the connection ended with it. */
static bool client_answer(struct client *client)
{
    struct exchange *exchange = &client->exchange;
    struct score *score = client->worker->place->score;
    const char *head, *body;
    size_t head_length, body_length;

    exchange_answer(exchange, &head, &head_length, &body, &body_length);
    fastcgi_send(client->connection, head, head_length);
    fastcgi_send(client->connection, body, body_length);
    bool is_kept = fastcgi_finish(client->connection);
    exchange_log(exchange);
    atomic_fetch_add_explicit(&score->requests, 1, memory_order_relaxed);
    if (exchange->response.http >= 500) {
        atomic_fetch_add_explicit(&score->failures, 1, memory_order_relaxed);
    }
    score_set(score, WORKER_IDLE, NULL);
    return is_kept;
}

static void client_result(void *context, const struct result *result)
{
    struct client *client = context;

    exchange_result(&client->exchange, result);
    if (!client_answer(client)) {
        client_close(client);
    }
}

static void park(struct client *client)
{
    client->parked_until_ms = client->exchange.started_us / 1000 + KEYS_WAIT_MS;
    client->worker->parked_count++;
}

static void unpark(struct client *client)
{
    struct epoll_event event = {.events = CLIENT_EVENTS, .data.ptr = client};

    client->parked_until_ms = 0;
    client->worker->parked_count--;
    /* Arms it anew: what came meanwhile, such as the peer's end, was passed over. */
    epoll_ctl(client->worker->epoll_fd, EPOLL_CTL_MOD, fastcgi_fd(client->connection), &event);
}

static void client_proceed(struct client *client, enum decision decision)
{
    struct worker *worker = client->worker;

    score_set(worker->place->score, WORKER_BUSY, client->exchange.route);
    switch (decision) {
    case DECISION_ASK:
        connection_submit(worker->service.database, &client->exchange.statement, client_result,
                          client);
        break;
    case DECISION_WAIT:
        park(client);
        score_set(worker->place->score, WORKER_IDLE, NULL);
        break;
    case DECISION_RESPOND:
        if (!client_answer(client)) {
            client_close(client);
        }
        break;
    }
}

/* Takes the request that waits, as far as it has come. */
static void client_serve(struct client *client, enum status arrived)
{
    struct worker *worker = client->worker;
    struct exchange *exchange = &client->exchange;
    struct arrival arrival = {.status = arrived, .body = ""};

    set_partial(client, false);
    exchange_reset(exchange);
    char **parameters = fastcgi_begin(client->connection);
    if (parameters == NULL) {
        client_close(client);
        return;
    }
    if (arrived == STATUS_OK) {
        /* One byte over the limit shows that there is more. */
        arrival.body =
            fastcgi_body(client->connection, &exchange->arena,
                         (size_t)worker->place->config->body_max + 1, &arrival.body_length);
    } else {
        fastcgi_give_up(client->connection);
    }
    client_proceed(client, exchange_begin(exchange, &worker->service, parameters, &arrival));
}

static void client_look(struct client *client)
{
    bool answerable;

    if (client->parked_until_ms != 0) {
        return; /* what it has to say is looked at when its request is done */
    }
    switch (fastcgi_look(client->connection, (size_t)client->worker->place->config->body_max,
                         &answerable)) {
    case FASTCGI_IDLE:
        break;
    case FASTCGI_PARTIAL:
        set_partial(client, true);
        break;
    case FASTCGI_READY:
        client_serve(client, STATUS_OK);
        break;
    case FASTCGI_OVERSIZE:
        client_serve(client, STATUS_BODY_TOO_LARGE);
        break;
    case FASTCGI_GONE:
        client_close(client);
        break;
    }
}

/* A request that has been arriving for too long: its client is told so if its parameters are there.
 * The rest may have come while this worker was busy. */
static void client_expire(struct client *client)
{
    bool answerable;
    enum fastcgi_state state = fastcgi_look(
        client->connection, (size_t)client->worker->place->config->body_max, &answerable);

    if (state == FASTCGI_PARTIAL && answerable) {
        client_serve(client, STATUS_REQUEST_TIMEOUT);
    } else if (state == FASTCGI_PARTIAL || state == FASTCGI_IDLE) {
        client_close(client);
    } else {
        client_look(client);
    }
}

static void expire_partial(struct worker *worker)
{
    int64_t limit_ms = clock_ms() - worker->place->config->request_timeout;
    struct client *next;

    for (struct client *client = worker->clients; client != NULL && worker->partial_count > 0;
         client = next) {
        next = client->next;
        if (client->partial_since_ms != 0 && client->partial_since_ms <= limit_ms) {
            client_expire(client);
        }
    }
}

/* Goes on with the parked requests when there are other keys than at the last look, and with those
 * that have waited long enough; all of them with `at_once`. */
static void resume_parked(struct worker *worker, bool at_once)
{
    if (worker->parked_count == 0) {
        return;
    }
    uint32_t generation = keyring_generation(worker->service.identity.keyring);
    bool has_news = generation != worker->keys_generation;
    worker->keys_generation = generation;
    for (struct client *client = worker->clients, *next; client != NULL; client = next) {
        bool is_late = at_once || clock_ms() >= client->parked_until_ms;

        next = client->next;
        if (client->parked_until_ms != 0 && (has_news || is_late)) {
            unpark(client);
            client_proceed(client, exchange_resume(&client->exchange, !is_late));
        }
    }
}

/* Milliseconds until there is something to do without an event, or -1. */
static int wait_ms(const struct worker *worker)
{
    int64_t first = worker->accept_again_ms != 0 ? worker->accept_again_ms : INT64_MAX;

    if (worker->parked_count > 0) {
        return KEYS_LOOK_MS;
    }
    for (const struct client *client = worker->clients; client != NULL && worker->partial_count > 0;
         client = client->next) {
        int64_t end = client->partial_since_ms + worker->place->config->request_timeout;

        if (client->partial_since_ms != 0 && end < first) {
            first = end;
        }
    }
    if (first == INT64_MAX) {
        return -1;
    }
    int64_t left = first - clock_ms();
    return left > 0 ? (int)left : 0;
}

static void accept_again(struct worker *worker)
{
    if (worker->leave == LEAVE_NOT && worker->accept_again_ms != 0 &&
        clock_ms() >= worker->accept_again_ms) {
        worker->accept_again_ms = 0;
        watch_arrivals(worker);
    }
}

static void take_signal(struct worker *worker)
{
    struct signalfd_siginfo signal_info;

    if (read(worker->signal_fd, &signal_info, sizeof signal_info) == sizeof signal_info) {
        worker->leave = signal_info.ssi_signo == SIGUSR1 ? LEAVE_HAND_OVER : LEAVE_DRAIN;
    }
}

/* Waits for events and serves them. */
static void serve_events(struct worker *worker, int timeout_ms)
{
    const struct worker_place *place = worker->place;
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(worker->epoll_fd, events, EVENTS_MAX, timeout_ms);
    bool has_accepted = false;

    for (int i = 0; i < count; i++) {
        const void *who = events[i].data.ptr;

        if (who == &place->listen_fd) {
            has_accepted = accept_one(worker) || has_accepted;
        } else if (who == &place->handover) {
            has_accepted = take_over_one(worker) || has_accepted;
        } else if (who == &worker->signal_fd) {
            take_signal(worker);
        } else if (who == &place->life_fd) {
            worker->leave = LEAVE_DRAIN; /* the master is gone */
        } else {
            client_look(events[i].data.ptr);
        }
    }
    if (has_accepted && worker->leave == LEAVE_NOT && worker->accept_again_ms == 0) {
        go_to_the_end_of_the_row(worker);
    }
    accept_again(worker);
    expire_partial(worker);
    resume_parked(worker, false);
}

/* Gives every connection away. What hasn't been taken out of a socket goes with it, half requests
 * too. */
static void hand_over(struct worker *worker)
{
    struct client *next;

    for (struct client *client = worker->clients; client != NULL; client = next) {
        next = client->next;
        unwatch(worker, fastcgi_fd(client->connection));
        if (handover_give(&worker->place->handover, fastcgi_fd(client->connection),
                          worker->place->config->drain_timeout)) {
            client_close(client);
        }
    }
}

/* Takes over all connections that still wait to be accepted, as nobody will later. */
static void accept_rest(struct worker *worker)
{
    int left = worker->place->config->backlog;

    while (take_over_one(worker)) {
        /* until that queue is empty */
    }
    while (!worker->place->is_shared && left-- > 0 && accept_one(worker)) {
        /* likewise */
    }
}

/* Serves what has arrived and closes all connections. */
static void drain(struct worker *worker)
{
    int64_t end_ms = clock_ms() + worker->place->config->drain_timeout;
    struct client *next;

    while (worker->partial_count > 0 && clock_ms() < end_ms) {
        int left_ms = (int)(end_ms - clock_ms());
        int first_ms = wait_ms(worker);

        serve_events(worker, first_ms < left_ms ? first_ms : left_ms);
    }
    for (struct client *client = worker->clients; client != NULL; client = next) {
        next = client->next;
        client_look(client);
    }
    resume_parked(worker, true); /* what came while it drained */
    while (worker->clients != NULL) {
        client_close(worker->clients);
    }
}

static void leave(struct worker *worker)
{
    score_set(worker->place->score, WORKER_DRAINING, NULL);
    if (worker->accept_again_ms == 0) {
        unwatch_arrivals(worker);
    }
    worker->accept_again_ms = 0;
    unwatch(worker, worker->place->life_fd);
    resume_parked(worker, true);
    if (worker->leave == LEAVE_HAND_OVER) {
        hand_over(worker);
    } else {
        accept_rest(worker);
    }
    drain(worker);
}

static bool start(struct worker *worker)
{
    const struct worker_place *place = worker->place;

    worker->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (worker->epoll_fd < 0 || !watch_arrivals(worker) ||
        !watch(worker, place->life_fd, EPOLLIN, (void *)&place->life_fd) ||
        !watch(worker, worker->signal_fd, EPOLLIN, &worker->signal_fd)) {
        log_errno(LOG_ERROR, "worker", "epoll");
        return false;
    }
    score_set(place->score, WORKER_IDLE, NULL);
    return true;
}

int worker_run(const struct worker_place *place)
{
    char name[32];
    snprintf(name, sizeof name, "cruddurd worker %d", place->number);
    struct worker worker = {.place = place};
    int status = EXIT_FAILURE;

    srandom((unsigned)getpid());
    setenv("RES_OPTIONS", "timeout:1 attempts:1", 0); /* libpq waits for the resolver as it is */
    fastcgi_setup();
    worker.signal_fd = set_signals();
    service_init(&worker.service, place->config, place->catalog, name, place->keypage);
    if (place->must_fit && !connection_fits(worker.service.database)) {
        status = WORKER_EXIT_UNFIT;
    } else if (start(&worker)) {
        while (worker.leave == LEAVE_NOT) {
            serve_events(&worker, wait_ms(&worker));
        }
        leave(&worker);
        status = EXIT_SUCCESS;
    }
    service_release(&worker.service);
    return status;
}
