#include "worker/client.h"

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
#include "worker/client_private.h"
#include "worker/exchange.h"
#include "worker/tally.h"

void client_enter(struct client *client, enum client_stage stage, int limit_ms)
{
    client->clients->in_stage[client->stage]--;
    client->clients->in_stage[stage]++;
    client->stage = stage;
    client->end_ms = clock_ms() + limit_ms;
}

void client_close(struct client *client)
{
    client_finish_stream(client);
    client->clients->in_stage[client->stage]--;
    atomic_fetch_sub(&client->clients->score->open_connections, 1);
    *client->link = client->next;
    if (client->next != NULL) {
        client->next->link = client->link;
    }
    fastcgi_close(client->fastcgi);
    exchange_release(&client->exchange);
    memory_free(client);
}

static void ready(void *of, uint32_t events);

void clients_init(struct clients *clients, struct service *service, struct score *score,
                  const struct scoreboard *scoreboard, int epoll_fd)
{
    *clients = (struct clients){.service = service, .score = score, .epoll_fd = epoll_fd};
    streams_init(&clients->streams, service, score, scoreboard, &CLIENT_STREAM_OWNER);
}

void clients_add(struct clients *clients, int fd, const struct buf *buffered)
{
    struct client *client = memory_zeroed(sizeof *client);
    struct epoll_event event = {.events = CLIENT_EVENTS, .data.ptr = &client->watch};

    client->watch = (struct watch){ready, client};
    client->fastcgi = fastcgi_open(fd, buffered);
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
        client_close(client);
    } else if (buffered->length > 0) {
        client_poll_and_serve(client); /* no event comes for bytes that are not in the socket */
    }
}

void client_rearm(struct client *client, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = &client->watch};

    epoll_ctl(client->clients->epoll_fd, EPOLL_CTL_MOD, fastcgi_fd(client->fastcgi), &event);
}

/* Closes the connection after the peer has closed it, or CLIENT_SEND_TIMEOUT_MS have passed. */
static void close_gently(struct client *client)
{
    if (fastcgi_begin_closing(client->fastcgi)) {
        client_enter(client, CLIENT_CLOSING, CLIENT_SEND_TIMEOUT_MS);
    } else {
        client_close(client);
    }
}

/* --- answering --- */

/* Waits for the next request. A request that is already in the buffer causes no event, so the
 * socket is then also watched for EPOLLOUT, which is ready at once. The request is not served here,
 * so that one connection does not hold up the others. */
static void wait_for_next(struct client *client)
{
    bool was_answering = client->stage == CLIENT_SENDING;
    bool has_more = fastcgi_has_more(client->fastcgi);

    client_enter(client, CLIENT_IDLE, 0);
    if (was_answering || has_more || client->has_missed_event) {
        client->has_missed_event = has_more;
        client_rearm(client, has_more ? CLIENT_EVENTS | EPOLLOUT : CLIENT_EVENTS);
    }
}

void client_sent(struct client *client, enum fastcgi_sent how)
{
    if (how == FASTCGI_UNSENT) {
        if (client->stage != CLIENT_SENDING) {
            client_enter(client, CLIENT_SENDING, CLIENT_SEND_TIMEOUT_MS);
            client_rearm(client, CLIENT_EVENTS | EPOLLOUT);
        }
    } else if (how == FASTCGI_SENT && fastcgi_is_reusable(client->fastcgi)) {
        wait_for_next(client);
    } else if (how == FASTCGI_SENT && fastcgi_may_have_unread(client->fastcgi)) {
        close_gently(client);
    } else {
        client_close(client);
    }
}

void client_count(struct client *client)
{
    const struct exchange *exchange = &client->exchange;

    tally_count(&client->clients->score->tally, exchange->endpoint, exchange->response.http,
                exchange->took_us, exchange->database_us);
}

void client_answer(struct client *client)
{
    struct exchange *exchange = &client->exchange;
    const char *head, *body;
    size_t head_length, body_length;

    exchange_answer(exchange, &head, &head_length, &body, &body_length);
    client_count(client); /* before it is sent: its client may read the counts next */
    enum fastcgi_sent how = fastcgi_answer(client->fastcgi, head, head_length, body, body_length);
    exchange_report(exchange);
    exchange_release(exchange);
    client_sent(client, how);
}

static void take_result(void *context, const struct result *result, const struct cache_info *info)
{
    struct client *client = context;

    exchange_result(&client->exchange, result, info);
    client_answer(client);
}

/* --- serving --- */

static void follow_decision(struct client *client, enum decision decision)
{
    score_request(client->clients->score, client->exchange.route);
    switch (decision) {
    case DECISION_ASK:
        client_enter(client, CLIENT_QUERYING, 0);
        client->exchange.statement.asked_us = client->exchange.started_us;
        client->exchange.submission = (struct submission){
            .statement = &client->exchange.statement,
            .requester = exchange_requester(&client->exchange),
            .done = take_result,
            .context = client,
        };
        service_submit(client->clients->service, &client->exchange.submission);
        break;
    case DECISION_STREAM:
        client_open_stream(client);
        break;
    case DECISION_WAIT:
        if (client->stage != CLIENT_AWAITING_KEYS) {
            client_enter(client, CLIENT_AWAITING_KEYS, CLIENT_KEYS_WAIT_MS);
        }
        break;
    case DECISION_RESPOND:
        client_answer(client);
        break;
    }
}

/* Begins the exchange of the request that has arrived. arrived: STATUS_OK, or why the rest of the
 * request is not read. */
static void serve_request(struct client *client, enum status arrived)
{
    struct service *service = client->clients->service;
    struct exchange *exchange = &client->exchange;
    struct exchange_input input = {.status = arrived, .body = ""};

    char **parameters = fastcgi_begin(client->fastcgi);
    if (parameters == NULL) {
        client_close(client);
        return;
    }
    if (arrived == STATUS_OK) {
        /* One byte over the limit shows that the body is too large. */
        input.body = fastcgi_body(client->fastcgi, &exchange->arena,
                                  (size_t)service->config->body_max + 1, &input.body_length);
    } else {
        fastcgi_give_up(client->fastcgi);
    }
    follow_decision(client, exchange_begin(exchange, service, parameters, &input));
}

static enum fastcgi_state poll_request(struct client *client, bool *answerable)
{
    return fastcgi_poll(client->fastcgi, (size_t)client->clients->service->config->body_max,
                        answerable);
}

/* A connection whose first bytes are no FastCGI may be a message by which the server before this
 * one has left a connection (handover_leave()). Takes that connection over and closes the message's
 * own. False: this is no such message. */
static bool adopt_left(struct client *client)
{
    struct buf buffered = {0};
    int fd = handover_find(fastcgi_fd(client->fastcgi), &buffered);

    if (fd >= 0) {
        clients_add(client->clients, fd, &buffered);
        client_close(client);
    }
    buf_release(&buffered);
    return fd >= 0;
}

/* Acts on the state that fastcgi_poll() has found. */
static void act(struct client *client, enum fastcgi_state state)
{
    switch (state) {
    case FASTCGI_IDLE:
        if (client->stage == CLIENT_READING) {
            client_enter(client, CLIENT_IDLE, 0); /* the bytes were no request, or it was aborted */
        }
        break;
    case FASTCGI_PARTIAL:
        if (client->stage == CLIENT_IDLE) {
            client_enter(client, CLIENT_READING, client->clients->service->config->request_timeout);
        }
        break;
    case FASTCGI_READY:
        serve_request(client, STATUS_OK);
        break;
    case FASTCGI_OVERSIZE:
        serve_request(client, STATUS_BODY_TOO_LARGE);
        break;
    case FASTCGI_REFUSED:
        close_gently(client);
        break;
    case FASTCGI_FOREIGN:
        if (!adopt_left(client)) {
            close_gently(client);
        }
        break;
    case FASTCGI_GONE:
        client_close(client);
        break;
    }
}

void client_poll_and_serve(struct client *client)
{
    bool answerable;

    act(client, poll_request(client, &answerable));
}

/* Cancels the wait for keys, or the statement. False: the statement was already sent. Then the
 * client stays until the result comes; if the peer has left, sending the answer fails. */
static bool cancel_request(struct client *client)
{
    return client->stage == CLIENT_AWAITING_KEYS ||
           service_cancel(client->clients->service, &client->exchange.submission);
}

/* Drops the request of a peer that has left or sent ABORT_REQUEST, unless its statement was
 * sent. */
static void abandon(struct client *client, bool has_left)
{
    if (!cancel_request(client)) {
        return;
    }
    exchange_abandon(&client->exchange);
    client_count(client);
    if (has_left) {
        client_close(client);
    } else {
        enum fastcgi_sent how = fastcgi_end(client->fastcgi);

        exchange_release(&client->exchange);
        client_sent(client, how);
    }
}

static void ready(void *of, uint32_t events)
{
    struct client *client = of;
    bool has_left = (events & (EPOLLHUP | EPOLLERR)) != 0; /* not if a TCP peer closed one half */

    switch (client->stage) {
    case CLIENT_IDLE:
    case CLIENT_READING:
        if (has_left) {
            /* The front server has already failed its client's request, so the request is not run.
             * A server that has left a connection here (handover_leave()) has closed its end,
             * too. */
            if (!adopt_left(client)) {
                client_close(client);
            }
        } else {
            client_poll_and_serve(client);
        }
        break;
    case CLIENT_STREAMING:
        client_stream_ready(client, events);
        break;
    case CLIENT_SENDING:
        if (has_left || (events & EPOLLOUT) != 0) {
            client_sent(client, fastcgi_send_rest(client->fastcgi));
        }
        break;
    case CLIENT_CLOSING:
        if (has_left || !fastcgi_discard(client->fastcgi)) {
            client_close(client);
        }
        break;
    default:
        client->has_missed_event = true;
        if (has_left || fastcgi_poll_abort(client->fastcgi) == FASTCGI_ABORTED) {
            abandon(client, has_left);
        }
    }
}

/* --- time --- */

/* Ends a request that has been arriving for too long: answers 408 if its parameters have arrived,
 * else closes the connection. The socket is polled first, because the rest of the request may have
 * come while this worker was busy. */
static void expire_arriving(struct client *client)
{
    bool answerable;
    enum fastcgi_state state = poll_request(client, &answerable);

    if (state == FASTCGI_PARTIAL && answerable) {
        serve_request(client, STATUS_REQUEST_TIMEOUT);
    } else if (state == FASTCGI_PARTIAL) {
        close_gently(client);
    } else {
        act(client, state);
    }
}

void client_resume(struct client *client, bool may_wait_on)
{
    follow_decision(client, exchange_resume(&client->exchange, may_wait_on));
}

static void check_time(struct client *client, int64_t now_ms, bool has_new_keys)
{
    bool is_late = client->end_ms <= now_ms;

    switch (client->stage) {
    case CLIENT_READING:
        if (is_late) {
            expire_arriving(client);
        }
        break;
    case CLIENT_AWAITING_KEYS:
        if (is_late || has_new_keys) {
            client_resume(client, !is_late);
        }
        break;
    case CLIENT_SENDING:
    case CLIENT_CLOSING:
        if (is_late) {
            client_close(client);
        }
        break;
    default:
        break;
    }
}

/* A client in CLIENT_CLOSING has a time limit too, but no request. */
bool clients_are_timing(const struct clients *clients)
{
    return clients->in_stage[CLIENT_READING] + clients->in_stage[CLIENT_AWAITING_KEYS] +
               clients->in_stage[CLIENT_SENDING] >
           0;
}

static bool is_timing(const struct clients *clients)
{
    return clients_are_timing(clients) || clients->in_stage[CLIENT_CLOSING] > 0;
}

static bool update_keys_version(struct clients *clients)
{
    if (clients->in_stage[CLIENT_AWAITING_KEYS] == 0) {
        return false;
    }
    uint32_t before = clients->keys_version;
    clients->keys_version = keyring_version(clients->service->identity.keyring);
    return clients->keys_version != before;
}

void clients_proceed(struct clients *clients)
{
    streams_proceed(&clients->streams);
    if (!is_timing(clients)) {
        return;
    }
    int64_t now_ms = clock_ms();
    bool has_new_keys = update_keys_version(clients);

    for (struct client *client = clients->first, *next; client != NULL; client = next) {
        next = client->next;
        check_time(client, now_ms, has_new_keys);
    }
}

/* As clients_wait_ms(), without the streams. */
static int own_wait_ms(const struct clients *clients)
{
    int64_t first = INT64_MAX;

    if (!is_timing(clients)) {
        return -1;
    }
    if (clients->in_stage[CLIENT_AWAITING_KEYS] > 0) {
        return CLIENT_KEYS_POLL_MS;
    }
    for (const struct client *client = clients->first; client != NULL; client = client->next) {
        bool is_timed = client->stage == CLIENT_READING || client->stage == CLIENT_SENDING ||
                        client->stage == CLIENT_CLOSING;

        if (is_timed && client->end_ms < first) {
            first = client->end_ms;
        }
    }
    return clock_left_ms(first);
}

int clients_wait_ms(const struct clients *clients)
{
    return clock_sooner(own_wait_ms(clients), streams_wait_ms(&clients->streams));
}

void clients_close(struct clients *clients)
{
    while (clients->first != NULL) {
        client_close(clients->first);
    }
    streams_release(&clients->streams);
}
