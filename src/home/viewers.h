/* Serves the cached home page to callers that have a name. The page is the same for everyone, but a
 * user that has hidden others, or was hidden by others (blocks and mutes, see sql/schema.sql), has a
 * page of its own.
 *
 * The number of visibility grows with each change of blocks and mutes. A cached page has the number
 * of its snapshot, and a worker remembers for each caller whether anyone was hidden at a number. If
 * both numbers are equal, the answer is known without a statement: the cached page, or a statement
 * for the caller's own page. Otherwise one statement asks first. An own page is never stored. */
#ifndef CRUDDUR_HOME_VIEWERS_H
#define CRUDDUR_HOME_VIEWERS_H

#include <stdbool.h>

#include "home/cache.h"

enum {
    VIEWERS_MAX = 1024,       /* callers that a worker remembers; two may contend for one place */
    VIEWERS_NAME_MAX = 135,   /* bytes; callers with longer names are not remembered */
    VIEWERS_QUESTIONS_MAX = 2 /* for one request, while others change blocks; then an own page */
};

struct viewers;

/* hidden: the statement that asks; its parameters are sub and viewer. All must outlive it. */
struct viewers *viewers_new(struct cache *cache, const struct statement_runner *reads,
                            const struct statement_def *hidden);
void viewers_free(struct viewers *viewers); /* NULL is allowed */

/* Whether the statement names a caller. */
bool viewers_accepts(const struct statement *statement);

/* Answers such a statement, which the cache accepts, and then calls done, exactly once; that may be
 * before this returns. The statement must live until then. */
void viewers_submit(struct viewers *viewers, const struct statement *statement, cache_done *done,
                    void *context);

#endif
