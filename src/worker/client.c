#include "worker/client.h"

#include <errno.h>
#include <stddef.h>
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

/* A connection from the front server, and the request on it, one at a time.
 *
 *     IDLE ──bytes──► READING ──complete──► [begin]
 *     [begin] ──keys needed──► AWAITING_KEYS ──keys, or too late──► [begin]
 *     [begin] ──statement──► QUERYING ──result──► [answer]
 *     [begin] ──stream──► STREAMING ──aborted, or the worker leaves──► IDLE, or it is freed
 *     [begin] ──response──► [answer]
 *     [answer] ──socket is full──► SENDING ──all is sent──► IDLE, or CLOSING, or it is freed
 *
 * A stage is skipped if it takes no time. enter() is the only function that changes the stage.
 * close_client() frees the client from any stage but QUERYING with a statement that was sent: its
 * callback has the client's address. */
struct client {
    struct watch watch;
    struct fastcgi *fastcgi;
    struct exchange exchange;
    struct stream stream; /* of STREAMING */
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

/* Takes the stream out, if there is one, and logs its request. */
static void finish_stream(struct client *client)
{
    if (client->stage == CLIENT_STREAMING) {
        streams_remove(&client->stream);
        exchange_end_stream(&client->exchange, client->stream.bytes);
    }
}

static void close_client(struct client *client)
{
    finish_stream(client);
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

static void poll_and_serve(struct client *client);
static void ready(void *of, uint32_t events);

static void stream_stalled(struct stream *stream, bool is_stalled);
static void stream_ended(struct stream *stream);

static const struct stream_owner STREAM_OWNER = {.stalled = stream_stalled, .ended = stream_ended};

void clients_init(struct clients *clients, struct service *service, struct score *score,
                  const struct scoreboard *scoreboard, int epoll_fd)
{
    *clients = (struct clients){.service = service, .score = score, .epoll_fd = epoll_fd};
    streams_init(&clients->streams, service, score, scoreboard, &STREAM_OWNER);
}

void clients_add(struct clients *clients, int fd, const struct buf *buffered)
{
    struct client *client = memory_zeroed(sizeof *client);
    struct epoll_event event = {.events = EVENTS, .data.ptr = &client->watch};

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
        close_client(client);
    } else if (buffered->length > 0) {
        poll_and_serve(client); /* no event comes for bytes that are not in the socket */
    }
}

/* Arms its socket again. With EPOLLET an event that came while the client did not read is lost;
 * EPOLL_CTL_MOD reports it once more. */
static void rearm(struct client *client, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = &client->watch};

    epoll_ctl(client->clients->epoll_fd, EPOLL_CTL_MOD, fastcgi_fd(client->fastcgi), &event);
}

/* Closes the connection after the peer has closed it, or CLIENT_SEND_TIMEOUT_MS have passed. */
static void close_gently(struct client *client)
{
    if (fastcgi_begin_closing(client->fastcgi)) {
        enter(client, CLIENT_CLOSING, CLIENT_SEND_TIMEOUT_MS);
    } else {
        close_client(client);
    }
}

/* --- answering --- */

/* Waits for the next request. No event would come for a request that is in the buffer already:
 * EPOLLOUT, which is ready at once, brings one about. The request is not served here, so that one
 * connection does not hold up the others. */
static void wait_for_next(struct client *client)
{
    bool was_answering = client->stage == CLIENT_SENDING;
    bool has_more = fastcgi_has_more(client->fastcgi);

    enter(client, CLIENT_IDLE, 0);
    if (was_answering || has_more || client->has_missed_event) {
        client->has_missed_event = has_more;
        rearm(client, has_more ? EVENTS | EPOLLOUT : EVENTS);
    }
}

static void sent(struct client *client, enum fastcgi_sent how)
{
    if (how == FASTCGI_UNSENT) {
        if (client->stage != CLIENT_SENDING) {
            enter(client, CLIENT_SENDING, CLIENT_SEND_TIMEOUT_MS);
            rearm(client, EVENTS | EPOLLOUT);
        }
    } else if (how == FASTCGI_SENT && fastcgi_is_reusable(client->fastcgi)) {
        wait_for_next(client);
    } else if (how == FASTCGI_SENT && fastcgi_may_have_unread(client->fastcgi)) {
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
    count(client); /* before the client can read it, and then the counts */
    enum fastcgi_sent how = fastcgi_answer(client->fastcgi, head, head_length, body, body_length);
    exchange_log(exchange);
    exchange_release(exchange);
    sent(client, how);
}

/* --- streams --- */

static struct client *client_of(struct stream *stream)
{
    return (struct client *)(void *)((char *)stream - offsetof(struct client, stream));
}

static void stream_stalled(struct stream *stream, bool is_stalled)
{
    rearm(client_of(stream), is_stalled ? EVENTS | EPOLLOUT : EVENTS);
}

static void stream_ended(struct stream *stream)
{
    close_client(client_of(stream));
}

/* Ends the response, which is complete then, unless its peer does not read. */
static void end_stream(struct client *client)
{
    bool is_stalled = client->stream.state == STREAM_STALLED;

    finish_stream(client);
    enum fastcgi_sent how = is_stalled ? FASTCGI_BROKEN : fastcgi_end(client->fastcgi);
    enter(client, CLIENT_IDLE, 0);
    client->has_missed_event = true;
    sent(client, how == FASTCGI_SENT ? FASTCGI_SENT : FASTCGI_BROKEN);
}

static void open_stream(struct client *client)
{
    struct exchange *exchange = &client->exchange;
    struct streams *streams = &client->clients->streams;
    const char *head, *body;
    size_t head_length, body_length;

    if (!streams_admit(streams)) {
        exchange_refuse_stream(exchange);
    }
    if (!exchange->response.is_stream || exchange->request.method == METHOD_HEAD) {
        answer(client);
        return;
    }
    exchange_answer(exchange, &head, &head_length, &body, &body_length);
    count(client);
    enter(client, CLIENT_STREAMING, 0);
    bool is_open = streams_add(streams, &client->stream, client->fastcgi, head, head_length,
                               exchange->request.last_event_id);
    exchange_trim(exchange);
    if (!is_open) {
        close_client(client);
    } else if (streams->is_leaving) {
        end_stream(client);
    }
}

/* What comes while the stream is open: the peer leaves or aborts it, or reads again. A peer that
 * closes one half only leaves as well. */
static void stream_ready(struct client *client, uint32_t events)
{
    bool has_left = (events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP)) != 0;

    if (has_left || ((events & EPOLLOUT) != 0 && !streams_flush(&client->stream))) {
        close_client(client);
    } else if (fastcgi_poll_abort(client->fastcgi) == FASTCGI_ABORTED) {
        end_stream(client);
    }
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
        enter(client, CLIENT_QUERYING, 0);
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
        open_stream(client);
        break;
    case DECISION_WAIT:
        if (client->stage != CLIENT_AWAITING_KEYS) {
            enter(client, CLIENT_AWAITING_KEYS, CLIENT_KEYS_WAIT_MS);
        }
        break;
    case DECISION_RESPOND:
        answer(client);
        break;
    }
}

/* Begins the exchange of the request that has arrived. arrived: STATUS_OK, or why its rest is not
 * read. */
static void serve(struct client *client, enum status arrived)
{
    struct service *service = client->clients->service;
    struct exchange *exchange = &client->exchange;
    struct exchange_input input = {.status = arrived, .body = ""};

    char **parameters = fastcgi_begin(client->fastcgi);
    if (parameters == NULL) {
        close_client(client);
        return;
    }
    if (arrived == STATUS_OK) {
        /* One byte over the limit shows that there is more. */
        input.body = fastcgi_body(client->fastcgi, &exchange->arena,
                                  (size_t)service->config->body_max + 1, &input.body_length);
    } else {
        fastcgi_give_up(client->fastcgi);
    }
    proceed(client, exchange_begin(exchange, service, parameters, &input));
}

static enum fastcgi_state poll_request(struct client *client, bool *answerable)
{
    return fastcgi_poll(client->fastcgi, (size_t)client->clients->service->config->body_max,
                        answerable);
}

/* A connection whose first bytes are no FastCGI may be a message with a connection in it, which the
 * server before this one has left (handover_leave). False: it is none. */
static bool adopt_left(struct client *client)
{
    struct buf buffered = {0};
    int fd = handover_find(fastcgi_fd(client->fastcgi), &buffered);

    if (fd >= 0) {
        clients_add(client->clients, fd, &buffered);
        close_client(client);
    }
    buf_release(&buffered);
    return fd >= 0;
}

/* Does what the state of the connection calls for. */
static void act(struct client *client, enum fastcgi_state state)
{
    switch (state) {
    case FASTCGI_IDLE:
        if (client->stage == CLIENT_READING) {
            enter(client, CLIENT_IDLE, 0); /* the bytes were no request, or it was aborted */
        }
        break;
    case FASTCGI_PARTIAL:
        if (client->stage == CLIENT_IDLE) {
            enter(client, CLIENT_READING, client->clients->service->config->request_timeout);
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
        if (!adopt_left(client)) {
            close_gently(client);
        }
        break;
    case FASTCGI_GONE:
        close_client(client);
        break;
    }
}

static void poll_and_serve(struct client *client)
{
    bool answerable;

    act(client, poll_request(client, &answerable));
}

/* Takes the request back, unless its statement was sent already. Then the result is awaited, and
 * the answer finds that the peer has left. */
static bool cancel(struct client *client)
{
    return client->stage == CLIENT_AWAITING_KEYS ||
           service_cancel(client->clients->service, &client->exchange.submission);
}

/* Drops the request of a peer that has left or sent ABORT_REQUEST, unless its statement was
 * sent. */
static void abandon(struct client *client, bool has_left)
{
    if (!cancel(client)) {
        return;
    }
    exchange_abandon(&client->exchange);
    count(client);
    if (has_left) {
        close_client(client);
    } else {
        enum fastcgi_sent how = fastcgi_end(client->fastcgi);

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
    case CLIENT_READING:
        if (has_left) {
            /* The peer has told its client that there was no answer, so its request is not run. A
             * server that left a connection here has closed its end as well. */
            if (!adopt_left(client)) {
                close_client(client);
            }
        } else {
            poll_and_serve(client);
        }
        break;
    case CLIENT_STREAMING:
        stream_ready(client, events);
        break;
    case CLIENT_SENDING:
        if (has_left || (events & EPOLLOUT) != 0) {
            sent(client, fastcgi_send_rest(client->fastcgi));
        }
        break;
    case CLIENT_CLOSING:
        if (has_left || !fastcgi_discard(client->fastcgi)) {
            close_client(client);
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

/* A request that has been arriving for too long: its client is told so if its parameters are there.
 * The rest may have come while this worker was busy. */
static void expire_arriving(struct client *client)
{
    bool answerable;
    enum fastcgi_state state = poll_request(client, &answerable);

    if (state == FASTCGI_PARTIAL && answerable) {
        serve(client, STATUS_REQUEST_TIMEOUT);
    } else if (state == FASTCGI_PARTIAL) {
        close_gently(client);
    } else {
        act(client, state);
    }
}

static void resume(struct client *client, bool may_wait_on)
{
    proceed(client, exchange_resume(&client->exchange, may_wait_on));
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
            resume(client, !is_late);
        }
        break;
    case CLIENT_SENDING:
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
    return clients->in_stage[CLIENT_READING] + clients->in_stage[CLIENT_AWAITING_KEYS] +
               clients->in_stage[CLIENT_SENDING] >
           0;
}

static bool is_timing(const struct clients *clients)
{
    return is_timing_requests(clients) || clients->in_stage[CLIENT_CLOSING] > 0;
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

/* As clients_wait_ms, without the streams. */
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

/* --- leaving --- */

bool clients_are_busy(const struct clients *clients)
{
    return is_timing_requests(clients) || clients->in_stage[CLIENT_QUERYING] > 0;
}

void clients_poll(struct clients *clients)
{
    for (struct client *client = clients->first, *next; client != NULL; client = next) {
        next = client->next;
        if (client->stage == CLIENT_IDLE || client->stage == CLIENT_READING) {
            poll_and_serve(client);
        }
    }
}

void clients_end_streams(struct clients *clients)
{
    clients->streams.is_leaving = true;
    for (struct client *client = clients->first, *next; client != NULL; client = next) {
        next = client->next;
        if (client->stage == CLIENT_STREAMING) {
            end_stream(client);
        }
    }
}

void clients_stop_awaiting_keys(struct clients *clients)
{
    for (struct client *client = clients->first, *next; client != NULL; client = next) {
        next = client->next;
        if (client->stage == CLIENT_AWAITING_KEYS) {
            resume(client, false);
        }
    }
}

typedef bool client_giver(const struct clients *clients, const void *to, int fd,
                          const struct buf *buffered);

/* Gives away whatever is not being served. False, errno says why: that did not work for all. */
static bool give_away(struct clients *clients, client_giver *give, const void *to)
{
    int failure = 0;

    for (struct client *client = clients->first, *next; client != NULL; client = next) {
        int fd = fastcgi_fd(client->fastcgi);
        struct buf buffered = {0};

        next = client->next;
        if (client->stage != CLIENT_IDLE && client->stage != CLIENT_READING) {
            continue;
        }
        fastcgi_buffered(client->fastcgi, &buffered);
        epoll_ctl(clients->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
        if (give(clients, to, fd, &buffered)) {
            close_client(client);
        } else {
            struct epoll_event event = {.events = EVENTS, .data.ptr = &client->watch};

            failure = errno;
            epoll_ctl(clients->epoll_fd, EPOLL_CTL_ADD, fd, &event);
        }
        buf_release(&buffered);
    }
    errno = failure;
    return failure == 0;
}

static bool give_to_worker(const struct clients *clients, const void *to, int fd,
                           const struct buf *buffered)
{
    return handover_give(to, fd, buffered, clients->service->config->drain_timeout);
}

static bool leave_in_socket(const struct clients *clients, const void *to, int fd,
                            const struct buf *buffered)
{
    (void)clients;
    return handover_leave(*(const int *)to, fd, buffered);
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
    streams_release(&clients->streams);
}
