/* What a worker's streams are told: the newest edition of home (home/edition.h), which is kept up to
 * date while a stream is open.
 *
 * Whatever the number of streams, the mark (home/mark.h) is looked at every NEWS_LOOK_MS. If the
 * worker's page of home is not current, it is filled again by one statement, NEWS_REFRESH_MS after
 * the last one at the earliest. A page with another entity tag is a new edition. No statement is run
 * for a stream. While the watcher does not look (it rests, it is started again, the program is being
 * replaced) the page is filled every NEWS_BLIND_MS.
 *
 * An edition has holders: this module for the newest one, and each stream for the one that it was
 * told. The last that lets it go frees it. */
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

/* Begins zeroed but for the service. */
struct news {
    struct service *service;
    struct edition *newest; /* NULL: not known yet */
    unsigned number;        /* of editions so far */
    bool is_refreshing;
    int64_t look_ms, refresh_ms; /* not before */
    int64_t blind_ms;            /* until then the watcher need not have looked */
    struct buf event;            /* for the newest edition; up to its number in the first bytes */
    size_t event_opening;
    const struct edition *counted; /* the last one that new posts were counted for, and how many */
    int count;
};

void news_release(struct news *news);

/* Forgets the newest edition: no stream was open for a while, and so nothing was looked at. */
void news_forget(struct news *news);

/* Looks at the mark, if it is time for that. */
void news_proceed(struct news *news, int64_t now_ms);

/* The edition of a Last-Event-ID, held; NULL if that is none of ours, or is NULL itself. */
struct edition *news_of_id(struct news *news, const char *id);

/* Holds the newest edition in the place of *held, either of which may be NULL. */
void news_hold_newest(struct news *news, struct edition **held);
void news_let_go(struct news *news, struct edition **held);

/* Whether there is nothing to tell a client that has this edition, or NULL. */
bool news_are_known(const struct news *news, const struct edition *held);

/* The event of the newest edition for a client that has this one, or NULL. Valid until the next
 * call. */
const struct buf *news_event(struct news *news, const struct edition *held);

#endif
