/* The newest edition of home (home/edition.h), which is sent to a worker's streams. It is kept up
 * to date while a stream is open.
 *
 * Whatever the number of streams, the mark (home/mark.h) is read every NEWS_LOOK_MS. If the
 * worker's page of home is not current, one statement fills it again, NEWS_REFRESH_MS after the
 * last one at the earliest. A page with another entity tag is a new edition. No stream causes a
 * statement of its own. While the watcher does not poll (it rests or is started again, or the
 * program is being replaced), the page is filled every NEWS_BLIND_MS.
 *
 * An edition has holders: this module holds the newest edition, and each stream holds the edition
 * that was last sent on it. The last holder that releases an edition frees it. */
#ifndef CRUDDUR_WORKER_NEWS_H
#define CRUDDUR_WORKER_NEWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct edition;
struct service;

enum {
    NEWS_LOOK_MS = 50,
    NEWS_REFRESH_MS = 200,
    NEWS_FAILED_MS = 1000, /* after a refresh that failed */
    NEWS_BLIND_MS = 2000   /* since the watcher's last poll, which comes every WATCHER_STREAM_MS */
};

/* Zeroed at first, except the service. */
struct news {
    struct service *service;
    struct edition *newest; /* NULL: not known yet */
    unsigned number;        /* of editions so far */
    bool is_refreshing;
    int64_t look_ms, refresh_ms; /* earliest times of the next look and the next refresh */
    int64_t blind_ms;            /* until then the mark is valid without a poll of the watcher */
    struct buf event;            /* of the newest edition; its start is the same for all streams */
    size_t event_opening;        /* length of that start, up to the number of new posts */
    const struct edition *counted; /* the edition since which new posts were last counted */
    int count;                     /* their number */
};

void news_release(struct news *news);

/* Forgets the newest edition. Call this before the first stream opens: while none was open, the
 * edition was not kept up to date. */
void news_forget(struct news *news);

/* Reads the mark and has the page filled again if necessary, when it is time for that. */
void news_proceed(struct news *news, int64_t now_ms);

/* The edition of a Last-Event-ID, held for the caller. NULL: id is NULL, or none of ours. */
struct edition *news_of_id(struct news *news, const char *id);

/* Releases the edition *held and holds the newest edition in its place. Either may be NULL. */
void news_hold_newest(struct news *news, struct edition **held);
void news_let_go(struct news *news, struct edition **held);

/* Whether a client with the edition held (NULL: none) needs no event: it has the newest edition, or
 * no edition is known yet. */
bool news_are_known(const struct news *news, const struct edition *held);

/* The event of the newest edition, for a client with the edition held (NULL: none). Valid until the
 * next call. */
const struct buf *news_event(struct news *news, const struct edition *held);

#endif
