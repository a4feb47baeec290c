#include "worker/stream.h"

#include <stdlib.h>
#include <sys/resource.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/counter.h"
#include "config/config.h"
#include "http/fastcgi.h"
#include "shared/scoreboard.h"
#include "worker/service.h"

static const char COMMENT[] = ":\n\n";

/* --- lists --- */

static void take_out(struct stream *stream)
{
    struct stream_list *list = &stream->streams->lists[stream->state];

    *(stream->previous != NULL ? &stream->previous->next : &list->first) = stream->next;
    *(stream->next != NULL ? &stream->next->previous : &list->last) = stream->previous;
}

/* Moves the stream to the end of the state's list. */
static void move(struct stream *stream, enum stream_state state)
{
    struct stream_list *list = &stream->streams->lists[state];

    if (stream->state != STREAM_CLOSED) {
        take_out(stream);
    }
    stream->state = state;
    stream->since_ms = clock_ms();
    stream->next = NULL;
    stream->previous = list->last;
    *(list->last != NULL ? &list->last->next : &list->first) = stream;
    list->last = stream;
}

static struct stream *oldest_in(const struct streams *streams, enum stream_state state)
{
    return streams->lists[state].first;
}

/* Whether the first stream in the state's list has been there for that many ms. */
static bool has_waited_for(const struct streams *streams, enum stream_state state, int64_t now_ms,
                           int ms)
{
    const struct stream *stream = oldest_in(streams, state);

    return stream != NULL && now_ms - stream->since_ms >= ms;
}

/* --- opening and closing --- */

void streams_init(struct streams *streams, struct service *service, struct score *score,
                  const struct scoreboard *scoreboard, const struct stream_owner *owner)
{
    int most = service->cache != NULL ? service->config->streams : 0;
    struct rlimit limit;

    *streams = (struct streams){.score = score,
                                .scoreboard = scoreboard,
                                .owner = owner,
                                .pool_most = most,
                                .worker_most = most,
                                .news = {.service = service}};
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
        limit.rlim_cur / STREAMS_DESCRIPTORS_SHARE < (rlim_t)most) {
        streams->worker_most = (int)(limit.rlim_cur / STREAMS_DESCRIPTORS_SHARE);
    }
}

void streams_release(struct streams *streams)
{
    news_release(&streams->news);
}

bool streams_admit(struct streams *streams)
{
    struct stream_counts *counts = &streams->score->streams;

    if (streams->pool_most == 0 || scoreboard_streams(streams->scoreboard) >= streams->pool_most) {
        counter_add(&counts->refused_by_pool, 1);
        return false;
    }
    if (streams->count >= streams->worker_most) {
        counter_add(&counts->refused_by_worker, 1);
        return false;
    }
    return true;
}

/* Notes that bytes of the body were sent or wait for the socket, and moves the stream to its state.
 * False: the connection is broken. */
static bool note_sent(struct stream *stream, enum fastcgi_sent how, size_t bytes,
                      enum stream_state next)
{
    stream->bytes += bytes;
    if (how == FASTCGI_UNSENT) {
        move(stream, STREAM_STALLED);
        stream->streams->owner->stalled(stream, true);
    } else {
        move(stream, next);
    }
    return how != FASTCGI_BROKEN;
}

bool streams_add(struct streams *streams, struct stream *stream, struct fastcgi *connection,
                 const char *head, size_t head_length, const char *last_event_id)
{
    struct buf opening = {0};

    if (streams->count == 0) {
        news_forget(&streams->news);
    }
    /* last_event_id is not valid any more once the head is sent. */
    *stream = (struct stream){.streams = streams,
                              .connection = connection,
                              .told = news_of_id(&streams->news, last_event_id)};
    streams->count++;
    atomic_fetch_add(&streams->score->streams.open, 1);
    buf_printf(&opening, "retry: %d\n\n", STREAM_RETRY_MS + (int)(random() % STREAM_RETRY_MS));
    enum fastcgi_sent how =
        fastcgi_begin_stream(connection, head, head_length, opening.bytes, opening.length);
    bool is_open = note_sent(stream, how, opening.length,
                             streams->news.newest != NULL ? STREAM_DUE : STREAM_TOLD);
    buf_release(&opening);
    if (!is_open) {
        streams_remove(stream);
    }
    return is_open;
}

void streams_remove(struct stream *stream)
{
    struct streams *streams = stream->streams;

    if (stream->state == STREAM_CLOSED) {
        return;
    }
    take_out(stream);
    stream->state = STREAM_CLOSED;
    news_let_go(&streams->news, &stream->told);
    streams->count--;
    atomic_fetch_sub(&streams->score->streams.open, 1);
}

static void end(struct stream *stream)
{
    streams_remove(stream);
    stream->streams->owner->ended(stream);
}

/* --- sending --- */

static void tell(struct stream *stream)
{
    struct news *news = &stream->streams->news;
    const char *part = COMMENT;
    size_t length = sizeof COMMENT - 1;

    if (!news_are_known(news, stream->told)) {
        const struct buf *event = news_event(news, stream->told);

        part = event->bytes;
        length = event->length;
        news_hold_newest(news, &stream->told);
    }
    enum fastcgi_sent how = fastcgi_send_part(stream->connection, part, length);
    if (!note_sent(stream, how, length, STREAM_TOLD)) {
        end(stream);
    }
}

bool streams_flush(struct stream *stream)
{
    struct streams *streams = stream->streams;

    if (stream->state != STREAM_STALLED) {
        return true;
    }
    enum fastcgi_sent how = fastcgi_send_rest(stream->connection);
    if (how == FASTCGI_SENT) {
        streams->owner->stalled(stream, false);
        move(stream, news_are_known(&streams->news, stream->told) ? STREAM_TOLD : STREAM_DUE);
    }
    return how != FASTCGI_BROKEN;
}

static void expire_streams(struct streams *streams, int64_t now_ms)
{
    if (now_ms < streams->check_ms) {
        return;
    }
    streams->check_ms = now_ms + STREAMS_CHECK_MS;
    while (has_waited_for(streams, STREAM_TOLD, now_ms, STREAM_COMMENT_MS)) {
        move(oldest_in(streams, STREAM_TOLD), STREAM_DUE);
    }
    while (has_waited_for(streams, STREAM_STALLED, now_ms, STREAM_STALL_MS)) {
        counter_add(&streams->score->streams.stalled, 1);
        end(oldest_in(streams, STREAM_STALLED));
    }
}

static bool has_new_edition(const struct streams *streams)
{
    return streams->number != streams->news.number;
}

void streams_proceed(struct streams *streams)
{
    int64_t now_ms;

    if (streams->count == 0) {
        return;
    }
    now_ms = clock_ms();
    news_proceed(&streams->news, now_ms);
    if (has_new_edition(streams)) {
        streams->number = streams->news.number;
        while (oldest_in(streams, STREAM_TOLD) != NULL) {
            move(oldest_in(streams, STREAM_TOLD), STREAM_DUE);
        }
    }
    expire_streams(streams, now_ms);
    for (int i = 0; i < STREAMS_BATCH && oldest_in(streams, STREAM_DUE) != NULL; i++) {
        tell(oldest_in(streams, STREAM_DUE));
    }
}

int streams_wait_ms(const struct streams *streams)
{
    if (streams->count == 0) {
        return -1;
    }
    if (has_new_edition(streams) || oldest_in(streams, STREAM_DUE) != NULL) {
        return 0;
    }
    return clock_sooner(clock_left_ms(streams->news.look_ms), clock_left_ms(streams->check_ms));
}
