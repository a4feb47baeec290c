/* An edition of home: what its first page was at one moment, in just enough bytes to find out which
 * posts of a later edition are new. It is the id of an event. The client sends the id back as
 * Last-Event-ID, to any worker of any host. The id is
 *
 *     ETAG "." POSTS
 *
 * ETAG is the page's entity tag without its quotes. POSTS has EDITION_POST_BYTES of a hash of each
 * post's UUID in the page's order, in base64url.
 *
 * The new posts are those that the earlier edition did not have. But a page may also show older
 * posts that an earlier page did not: they take the places of posts before them that were deleted
 * or have expired. Such older posts come after all posts that both editions have, and only if the
 * earlier page was full. If two UUIDs have the same hash, a new post is not counted; this happens
 * once in 300,000 posts. */
#ifndef CRUDDUR_HOME_EDITION_H
#define CRUDDUR_HOME_EDITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "http/etag.h"
#include "http/page.h"

struct buf;

enum {
    EDITION_POSTS_MAX = PAGE_LIMIT_DEFAULT, /* a page that has as many is full */
    EDITION_POST_BYTES = 3,
    EDITION_UNKNOWN = -1
};

struct edition {
    char etag[ETAG_SIZE];
    int holders; /* number of references; only the edition's owner uses it */
    size_t count;
    uint32_t posts[EDITION_POSTS_MAX];
};

/* Makes the edition of a page: a JSON array of objects whose first member is "uuid". Posts after
 * EDITION_POSTS_MAX are left out. */
void edition_take(struct edition *edition, const char *etag, const char *body, size_t length);

/* Appends the id. */
void edition_write_id(const struct edition *edition, struct buf *text);

/* Reads the edition from an id. False: the id is NULL, or no edition's. */
MUST_CHECK bool edition_read_id(struct edition *edition, const char *id);

/* How many posts of `now` are new since `then`; EDITION_UNKNOWN if `then` is too long ago to find
 * out. */
int edition_news(const struct edition *then, const struct edition *now);

#endif
