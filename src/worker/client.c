#include "worker/client.h"

#include <errno.h>
#include <sys/epoll.h>

#include "api/endpoint.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/counter.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/status.h"
#include "config/config.h"
#include "http/fastcgi.h"
#include "identity/keyring.h"
#include "worker/exchange.h"
#include "worker/tally.h"

static const uint32_t EVENTS = EPOLLIN | EPOLLRDHUP | EPOLLET;

struct client {
    struct watch watch;
    struct fastcgi *connection;
    struct exchange exchange;
    struct clients *clients;
    enum client_stage stage;
    int64_t end_ms; /* of its time in this stage; of no meaning where others see to it */
    bool has_missed_event;
    struct client *next, **link;
};

static void enter(struct client *client, enum client_stage stage, int limit_ms)
{
    client->clients->in_stage[client->stage]--;
    client->clients->in_stage[stage]++;
    client->stage = stage;
    client->end_ms = clock_ms() + limit_ms;
}

static void close_client(struct client *client)
{
    client->clients->in_stage[client->stage]--;
    atomic_fetch_sub(&client->clients->score->open_connections, 1);
    *client->link = client->next;
    if (client->next != NULL) {
        client->next->link = client->link;
    }
    fastcgi_close(client->connection);
    exchange_release(&client->exchange);
    memory_free(client);
}

static void look_and_serve(struct client *client);
static void ready(void *of, uint32_t events);

void clients_add(struct clients *clients, int fd, const struct buf *arrived)
{
    struct client *client = memory_zeroed(sizeof *client);
    struct epoll_event event = {.events = EVENTS, .data.ptr = &client->watch};

    client->watch = (struct watch){ready, client};
    client->connection = fastcgi_open(fd, arrived);
    client->clients = clients;
    clients->in_stage[CLIENT_IDLE]++;
    client->next = clients->first;
    client->link = &clients->first;
    if (client->next != NULL) {
        client->next->link = &client->next;
    }
    clients->first = client;
    counter_add(&clients->score->connections, 1);
    atomic_fetch_add(&clients->score->open_connections, 1);
    if (epoll_ctl(clients->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        log_errno(LOG_ERROR, "worker", "epoll_ctl");
        close_client(client);
    } else if (arrived->length > 0) {
        look_and_serve(client); /* of these bytes the socket says nothing */
    }
}

/* Arms its socket anew: what came while nobody looked is reported again. */
static void rearm(struct client *client, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = &client->watch};

    epoll_ctl(client->clients->epoll_fd, EPOLL_CTL_MOD, fastcgi_fd(client->connection), &event);
}

/* Closes the connection once the peer has done so, or has had the time to. */
static void close_gently(struct client *client)
{
    if (fastcgi_begin_closing(client->connection)) {
        enter(client, CLIENT_CLOSING, CLIENT_SEND_TIMEOUT_MS);
    } else {
        close_client(client);
    }
}

/* --- answering --- */

/* Waits for the next request. One that has been taken already is looked at in a turn of its own,
 * which an event brings about that is always there. */
static void wait_for_next(struct client *client)
{
    bool was_answering = client->stage == CLIENT_ANSWERING;
    bool has_more = fastcgi_has_more(client->connection);

    enter(client, CLIENT_IDLE, 0);
    if (was_answering || has_more || client->has_missed_event) {
        client->has_missed_event = has_more;
        rearm(client, has_more ? EVENTS | EPOLLOUT : EVENTS);
    }
}

static void sent(struct client *client, enum fastcgi_sent how)
{
    if (how == FASTCGI_UNSENT) {
        if (client->stage != CLIENT_ANSWERING) {
            enter(client, CLIENT_ANSWERING, CLIENT_SEND_TIMEOUT_MS);
            rearm(client, EVENTS | EPOLLOUT);
        }
    } else if (how == FASTCGI_SENT && fastcgi_is_kept(client->connection)) {
        wait_for_next(client);
    } else if (how == FASTCGI_SENT && fastcgi_may_have_unread(client->connection)) {
        close_gently(client);
    } else {
        close_client(client);
    }
}

static void count(struct client *client)
{
    const struct exchange *exchange = &client->exchange;

    tally_count(&client->clients->score->tally, exchange->endpoint, exchange->response.http,
                exchange->took_us, exchange->database_us);
}

static void answer(struct client *client)
{
    struct exchange *exchange = &client->exchange;
    const char *head, *body;
    size_t head_length, body_length;

    exchange_answer(exchange, &head, &head_length, &body, &body_length);
    count(client); /* before anybody has the answer */
    enum fastcgi_sent how =
        fastcgi_answer(client->connection, head, head_length, body, body_length);
    exchange_log(exchange);
    exchange_release(exchange);
    sent(client, how);
}

static void take_result(void *context, const struct result *result, const struct cache_info *info)
{
    struct client *client = context;

    exchange_result(&client->exchange, result, info);
    answer(client);
}

/* --- serving --- */

static void proceed(struct client *client, enum decision decision)
{
    score_set(client->clients->score, WORKER_BUSY, client->exchange.route);
    switch (decision) {
    case DECISION_ASK:
        enter(client, CLIENT_ASKING, 0);
        client->exchange.statement.asked_us = client->exchange.started_us;
        client->exchange.submission = (struct submission){
            .statement = &client->exchange.statement,
            .requester = exchange_requester(&client->exchange),
            .done = take_result,
            .context = client,
        };
        service_submit(client->clients->service, &client->exchange.submission);
        break;
    case DECISION_WAIT:
        if (client->stage != CLIENT_PARKED) {
            enter(client, CLIENT_PARKED, CLIENT_KEYS_WAIT_MS);
        }
        break;
    case DECISION_RESPOND:
        answer(client);
        break;
    }
}

/* Takes the request that waits, as far as it has come. */
static void serve(struct client *client, enum status arrived)
{
    struct service *service = client->clients->service;
    struct exchange *exchange = &client->exchange;
    struct arrival arrival = {.status = arrived, .body = ""};

    char **parameters = fastcgi_begin(client->connection);
    if (parameters == NULL) {
        close_client(client);
        return;
    }
    if (arrived == STATUS_OK) {
        /* One byte over the limit shows that there is more. */
        arrival.body = fastcgi_body(client->connection, &exchange->arena,
                                    (size_t)service->config->body_max + 1, &arrival.body_length);
    } else {
        fastcgi_give_up(client->connection);
    }
    proceed(client, exchange_begin(exchange, service, parameters, &arrival));
}

static enum fastcgi_state look(struct client *client, bool *answerable)
{
    return fastcgi_look(client->connection, (size_t)client->clients->service->config->body_max,
                        answerable);
}

/* What is no FastCGI may be a connection that the server before this one has left. False when it is
 * none. */
static bool take_left(struct client *client)
{
    struct buf arrived = {0};
    int fd = handover_find(fastcgi_fd(client->connection), &arrived);

    if (fd >= 0) {
        clients_add(client->clients, fd, &arrived);
        close_client(client);
    }
    buf_release(&arrived);
    return fd >= 0;
}

/* What follows from a look. */
static void act(struct client *client, enum fastcgi_state state)
{
    switch (state) {
    case FASTCGI_IDLE:
        if (client->stage == CLIENT_ARRIVING) {
            enter(client, CLIENT_IDLE, 0); /* what came was no request, or was taken back */
        }
        break;
    case FASTCGI_PARTIAL:
        if (client->stage == CLIENT_IDLE) {
            enter(client, CLIENT_ARRIVING, client->clients->service->config->request_timeout);
        }
        break;
    case FASTCGI_READY:
        serve(client, STATUS_OK);
        break;
    case FASTCGI_OVERSIZE:
        serve(client, STATUS_BODY_TOO_LARGE);
        break;
    case FASTCGI_REFUSED:
        close_gently(client);
        break;
    case FASTCGI_FOREIGN:
        if (!take_left(client)) {
            close_gently(client);
        }
        break;
    case FASTCGI_GONE:
        close_client(client);
        break;
    }
}

static void look_and_serve(struct client *client)
{
    bool answerable;

    act(client, look(client, &answerable));
}

/* Whether it can be dropped, as it has left. With its statement under way that is found out when it
 * is answered. */
static bool is_cancelled(struct client *client)
{
    return client->stage == CLIENT_PARKED ||
           service_cancel(client->clients->service, &client->exchange.submission);
}

/* The peer has left, or doesn't want its answer: a request that nothing was done for yet is
 * dropped. */
static void abandon(struct client *client, bool has_left)
{
    if (!is_cancelled(client)) {
        return;
    }
    exchange_abandon(&client->exchange);
    count(client);
    if (has_left) {
        close_client(client);
    } else {
        enum fastcgi_sent how = fastcgi_end(client->connection);

        exchange_release(&client->exchange);
        sent(client, how);
    }
}

static void ready(void *of, uint32_t events)
{
    struct client *client = of;
    bool has_left = (events & (EPOLLHUP | EPOLLERR)) != 0; /* a TCP peer's half is not enough */

    switch (client->stage) {
    case CLIENT_IDLE:
    case CLIENT_ARRIVING:
        if (has_left) {
            /* The peer has told its client that there was no answer, so its request is not run. A
             * server that left a connection here has closed its end as well. */
            if (!take_left(client)) {
                close_client(client);
            }
        } else {
            look_and_serve(client);
        }
        break;
    case CLIENT_ANSWERING:
        if (has_left || (events & EPOLLOUT) != 0) {
            sent(client, fastcgi_send_rest(client->connection));
        }
        break;
    case CLIENT_CLOSING:
        if (has_left || !fastcgi_discard(client->connection)) {
            close_client(client);
        }
        break;
    default:
        client->has_missed_event = true;
        if (has_left || fastcgi_look_aside(client->connection) == FASTCGI_ABORTED) {
            abandon(client, has_left);
        }
    }
}

/* --- time --- */

/* A request that has been arriving for too long: its client is told so if its parameters are there.
 * The rest may have come while this worker was busy. */
static void expire_arriving(struct client *client)
{
    bool answerable;
    enum fastcgi_state state = look(client, &answerable);

    if (state == FASTCGI_PARTIAL && answerable) {
        serve(client, STATUS_REQUEST_TIMEOUT);
    } else if (state == FASTCGI_PARTIAL) {
        close_gently(client);
    } else {
        act(client, state);
    }
}

static void unpark(struct client *client, bool may_wait_on)
{
    proceed(client, exchange_resume(&client->exchange, may_wait_on));
}

static void look_at_time(struct client *client, int64_t now_ms, bool has_new_keys)
{
    bool is_late = client->end_ms <= now_ms;

    switch (client->stage) {
    case CLIENT_ARRIVING:
        if (is_late) {
            expire_arriving(client);
        }
        break;
    case CLIENT_PARKED:
        if (is_late || has_new_keys) {
            unpark(client, !is_late);
        }
        break;
    case CLIENT_ANSWERING:
    case CLIENT_CLOSING:
        if (is_late) {
            close_client(client);
        }
        break;
    default:
        break;
    }
}

/* Whether there is a client with a request whose time is measured here. */
static bool is_timing_requests(const struct clients *clients)
{
    return clients->in_stage[CLIENT_ARRIVING] + clients->in_stage[CLIENT_PARKED] +
               clients->in_stage[CLIENT_ANSWERING] >
           0;
}

static bool is_timing(const struct clients *clients)
{
    return is_timing_requests(clients) || clients->in_stage[CLIENT_CLOSING] > 0;
}

static bool has_new_keys(struct clients *clients)
{
    if (clients->in_stage[CLIENT_PARKED] == 0) {
        return false;
    }
    uint32_t before = clients->keys_generation;
    clients->keys_generation = keyring_generation(clients->service->identity.keyring);
    return clients->keys_generation != before;
}

void clients_proceed(struct clients *clients)
{
    if (!is_timing(clients)) {
        return;
    }
    int64_t now_ms = clock_ms();
    bool are_new = has_new_keys(clients);

    for (struct client *client = clients->first, *next; client != NULL; client = next) {
        next = client->next;
        look_at_time(client, now_ms, are_new);
    }
}

int clients_wait_ms(const struct clients *clients)
{
    int64_t first = INT64_MAX;

    if (!is_timing(clients)) {
        return -1;
    }
    if (clients->in_stage[CLIENT_PARKED] > 0) {
        return CLIENT_KEYS_LOOK_MS;
    }
    for (const struct client *client = clients->first; client != NULL; client = client->next) {
        bool is_timed = client->stage == CLIENT_ARRIVING || client->stage == CLIENT_ANSWERING ||
                        client->stage == CLIENT_CLOSING;

        if (is_timed && client->end_ms < first) {
            first = client->end_ms;
        }
    }
    return clock_left_ms(first);
}

/* --- leaving --- */

bool clients_are_busy(const struct clients *clients)
{
    return is_timing_requests(clients) || clients->in_stage[CLIENT_ASKING] > 0;
}

void clients_look_once_more(struct clients *clients)
{
    for (struct client *client = clients->first, *next; client != NULL; client = next) {
        next = client->next;
        if (client->stage == CLIENT_IDLE || client->stage == CLIENT_ARRIVING) {
            look_and_serve(client);
        }
    }
}

void clients_unpark(struct clients *clients)
{
    for (struct client *client = clients->first, *next; client != NULL; client = next) {
        next = client->next;
        if (client->stage == CLIENT_PARKED) {
            unpark(client, false);
        }
    }
}

typedef bool client_giver(const struct clients *clients, const void *to, int fd,
                          const struct buf *arrived);

/* Gives away whatever is not being served. False, errno says why: that did not work for all. */
static bool give_away(struct clients *clients, client_giver *give, const void *to)
{
    int failure = 0;

    for (struct client *client = clients->first, *next; client != NULL; client = next) {
        int fd = fastcgi_fd(client->connection);
        struct buf arrived = {0};

        next = client->next;
        if (client->stage != CLIENT_IDLE && client->stage != CLIENT_ARRIVING) {
            continue;
        }
        fastcgi_arrived(client->connection, &arrived);
        epoll_ctl(clients->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
        if (give(clients, to, fd, &arrived)) {
            close_client(client);
        } else {
            struct epoll_event event = {.events = EVENTS, .data.ptr = &client->watch};

            failure = errno;
            epoll_ctl(clients->epoll_fd, EPOLL_CTL_ADD, fd, &event);
        }
        buf_release(&arrived);
    }
    errno = failure;
    return failure == 0;
}

static bool give_to_worker(const struct clients *clients, const void *to, int fd,
                           const struct buf *arrived)
{
    return handover_give(to, fd, arrived, clients->service->config->drain_timeout);
}

static bool leave_in_socket(const struct clients *clients, const void *to, int fd,
                            const struct buf *arrived)
{
    (void)clients;
    return handover_leave(*(const int *)to, fd, arrived);
}

void clients_hand_over(struct clients *clients, const struct handover *handover)
{
    give_away(clients, give_to_worker, handover);
}

bool clients_leave(struct clients *clients, int listen_fd)
{
    return give_away(clients, leave_in_socket, &listen_fd);
}

void clients_close(struct clients *clients)
{
    while (clients->first != NULL) {
        close_client(clients->first);
    }
}
