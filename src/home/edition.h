/* An edition of home: what its first page was at one moment, in as few bytes as tell which of a later
 * edition's posts are new. It is the id of an event, which the client sends back as Last-Event-ID,
 * to any worker of any host. The id is
 *
 *     ETAG "." POSTS
 *
 * ETAG is the page's entity tag without its quotes. POSTS has EDITION_POST_BYTES of a hash of each
 * post's UUID in the page's order, in base64url.
 *
 * The number of new posts is that of the posts that the earlier edition did not have. What else a
 * page may show that an earlier one did not are older posts, which take the place of what was deleted
 * or has expired in front of them. They stand behind all posts that both have, and only where the
 * earlier page was full. Two UUIDs with the same hash hide a new post once in 300,000 posts. */
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
    int holders; /* references to it, for its owner's use */
    size_t count;
    uint32_t posts[EDITION_POSTS_MAX];
};

/* From a page: a JSON array of objects whose first member is "uuid". Posts after EDITION_POSTS_MAX
 * are left out. */
void edition_take(struct edition *edition, const char *etag, const char *body, size_t length);

/* Appends the id. */
void edition_write_id(const struct edition *edition, struct buf *text);

/* From an id. False: it is none of ours, or NULL. */
MUST_CHECK bool edition_read_id(struct edition *edition, const char *id);

/* How many posts of now were not in then; EDITION_UNKNOWN where then is too long ago to tell. */
int edition_news(const struct edition *then, const struct edition *now);

#endif
