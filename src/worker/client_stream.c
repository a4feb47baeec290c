/* A client whose response is a stream of events. The client owns the stream and the connection;
 * stream.c decides when something is sent and when the stream ends. */
#include <stddef.h>

#include "http/request.h"
#include "worker/client_private.h"

static struct client *client_of(struct stream *stream)
{
    return (struct client *)(void *)((char *)stream - offsetof(struct client, stream));
}

static void stream_stalled(struct stream *stream, bool is_stalled)
{
    client_rearm(client_of(stream), is_stalled ? CLIENT_EVENTS | EPOLLOUT : CLIENT_EVENTS);
}

static void stream_ended(struct stream *stream)
{
    client_close(client_of(stream));
}

const struct stream_owner CLIENT_STREAM_OWNER = {.stalled = stream_stalled, .ended = stream_ended};

void client_finish_stream(struct client *client)
{
    if (client->stage == CLIENT_STREAMING) {
        streams_remove(&client->stream);
        exchange_end_stream(&client->exchange, client->stream.bytes);
    }
}

void client_end_stream(struct client *client)
{
    bool is_stalled = client->stream.state == STREAM_STALLED;

    client_finish_stream(client);
    enum fastcgi_sent how = is_stalled ? FASTCGI_BROKEN : fastcgi_end(client->fastcgi);
    client_enter(client, CLIENT_IDLE, 0);
    client->has_missed_event = true;
    client_sent(client, how == FASTCGI_SENT ? FASTCGI_SENT : FASTCGI_BROKEN);
}

void client_open_stream(struct client *client)
{
    struct exchange *exchange = &client->exchange;
    struct streams *streams = &client->clients->streams;
    const char *head, *body;
    size_t head_length, body_length;

    if (!streams_admit(streams)) {
        exchange_refuse_stream(exchange);
    }
    if (!exchange->response.is_stream || exchange->request.method == METHOD_HEAD) {
        client_answer(client);
        return;
    }
    exchange_answer(exchange, &head, &head_length, &body, &body_length);
    client_count(client);
    client_enter(client, CLIENT_STREAMING, 0);
    bool is_open = streams_add(streams, &client->stream, client->fastcgi, head, head_length,
                               exchange->request.last_event_id);
    exchange_trim(exchange);
    if (!is_open) {
        client_close(client);
    } else if (streams->is_leaving) {
        client_end_stream(client);
    }
}

/* In this stage a peer that closes one half of its connection (EPOLLRDHUP) has left, too. */
void client_stream_ready(struct client *client, uint32_t events)
{
    bool has_left = (events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP)) != 0;

    if (has_left || ((events & EPOLLOUT) != 0 && !streams_flush(&client->stream))) {
        client_close(client);
    } else if (fastcgi_poll_abort(client->fastcgi) == FASTCGI_ABORTED) {
        client_end_stream(client);
    }
}
