#include "worker/news.h"

#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/status.h"
#include "db/statement.h"
#include "home/cache.h"
#include "home/edition.h"
#include "home/mark.h"
#include "http/etag.h"
#include "http/page.h"
#include "worker/service.h"

/* Of the page without ?limit=, whose entity tag the clients know. */
static const char LIMIT[] = "50";
_Static_assert(PAGE_LIMIT_DEFAULT == 50, "LIMIT is its text");

/* --- editions --- */

static struct edition *hold(struct edition *edition)
{
    if (edition != NULL) {
        edition->holders++;
    }
    return edition;
}

void news_let_go(struct news *news, struct edition **held)
{
    struct edition *edition = *held;

    *held = NULL;
    if (edition != NULL && --edition->holders == 0) {
        if (news->counted == edition) {
            news->counted = NULL;
        }
        memory_free(edition);
    }
}

void news_hold_newest(struct news *news, struct edition **held)
{
    struct edition *newest = hold(news->newest);

    news_let_go(news, held);
    *held = newest;
}

static bool is_newest(const struct news *news, const struct edition *edition)
{
    return news->newest != NULL && strcmp(news->newest->etag, edition->etag) == 0;
}

struct edition *news_of_id(struct news *news, const char *id)
{
    struct edition edition;

    if (!edition_read_id(&edition, id)) {
        return NULL;
    }
    if (is_newest(news, &edition)) {
        return hold(news->newest);
    }
    struct edition *own = memory_zeroed(sizeof *own);
    *own = edition;
    return hold(own);
}

bool news_are_known(const struct news *news, const struct edition *held)
{
    return news->newest == NULL || (held != NULL && is_newest(news, held));
}

void news_forget(struct news *news)
{
    news_let_go(news, &news->newest);
    news->look_ms = 0;
}

void news_release(struct news *news)
{
    news_let_go(news, &news->newest);
    buf_release(&news->event);
}

/* --- events --- */

/* Writes the start of the event, which is the same for all clients. */
static void open_event(struct news *news)
{
    char tag[ETAG_SIZE];

    /* Without its quotes, which are escaped in JSON. */
    memcpy(tag, news->newest->etag + 1, sizeof tag - 1);
    tag[strlen(tag) - 1] = '\0';
    buf_clear(&news->event);
    buf_text(&news->event, "id: ");
    edition_write_id(news->newest, &news->event);
    buf_printf(&news->event, "\nevent: home\ndata: {\"etag\":\"\\\"%s\\\"\",\"new\":", tag);
    news->event_opening = news->event.length;
}

/* Most clients have the same edition, so the last count is kept. */
static int count_for(struct news *news, const struct edition *held)
{
    if (held == NULL) {
        return EDITION_UNKNOWN;
    }
    if (news->counted != held) {
        news->counted = held;
        news->count = edition_news(held, news->newest);
    }
    return news->count;
}

const struct buf *news_event(struct news *news, const struct edition *held)
{
    int count = count_for(news, held);

    news->event.length = news->event_opening;
    if (count == EDITION_UNKNOWN) {
        buf_text(&news->event, "null}\n\n");
    } else {
        buf_printf(&news->event, "%d}\n\n", count);
    }
    return &news->event;
}

/* --- looking at home --- */

static void publish(struct news *news, const char *etag, const char *body, size_t length)
{
    if (news->newest != NULL && strcmp(news->newest->etag, etag) == 0) {
        return;
    }
    struct edition *edition = memory_zeroed(sizeof *edition);
    edition_take(edition, etag, body, length);
    news_let_go(news, &news->newest);
    news->newest = hold(edition);
    news->counted = NULL;
    news->number++;
    open_event(news);
}

/* Whether the watcher has polled, or the page was filled, so recently that the mark can be relied
 * on. */
static bool is_watched(const struct news *news, const struct cache_look *look, int64_t now_ms)
{
    return now_ms - look->polled_us / 1000 < NEWS_BLIND_MS || now_ms < news->blind_ms;
}

/* Publishes the page if it is current. False: the page must be filled. The first edition always
 * comes from a page that was filled for it, because the watcher may have rested while there was no
 * stream. */
static bool look_at_page(struct news *news, int64_t now_ms)
{
    struct cache_look look;

    if (news->newest == NULL || !cache_look(news->service->cache, LIMIT, &look) ||
        !look.is_current || !is_watched(news, &look, now_ms)) {
        return false;
    }
    publish(news, look.etag, look.body, look.body_length);
    return true;
}

/* Publishes the page that was just filled. It is newer than the last edition, even if it is already
 * out of date. */
static void publish_filled(struct news *news)
{
    struct cache_look look;

    news->blind_ms = clock_ms() + NEWS_BLIND_MS;
    if (cache_look(news->service->cache, LIMIT, &look)) {
        publish(news, look.etag, look.body, look.body_length);
    }
}

/* The page was filled, or filling it has failed. info is NULL if a good result was not cached: it
 * came from a standby, or after the result of a later statement. Only a standby's result has no
 * snapshot (result->seen). */
static void refreshed(void *context, const struct result *result, const struct cache_info *info)
{
    struct news *news = context;
    bool is_good = result->status == STATUS_OK && result->body != NULL;
    char tag[ETAG_SIZE];

    news->is_refreshing = false;
    if (is_good && info != NULL && result->stale_s == 0) {
        publish_filled(news);
        return;
    }
    news->refresh_ms = clock_ms() + NEWS_FAILED_MS;
    if (is_good && info == NULL && result->seen == NULL) {
        etag_make(tag, result->body, result->body_length);
        publish(news, tag, result->body, result->body_length);
    }
}

void news_proceed(struct news *news, int64_t now_ms)
{
    if (now_ms < news->look_ms) {
        return;
    }
    news->look_ms = now_ms + NEWS_LOOK_MS;
    mark_stream(news->service->cache_settings.mark, clock_us());
    if (news->is_refreshing || look_at_page(news, now_ms) || now_ms < news->refresh_ms) {
        return;
    }
    news->refresh_ms = now_ms + NEWS_REFRESH_MS;
    news->is_refreshing = true;
    if (!cache_refresh(news->service->cache, LIMIT, refreshed, news)) {
        news->is_refreshing = false;
    }
}
