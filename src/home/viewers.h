/* Serves the cached home page to callers that have a name. The page is the same for everyone, but a
 * user that has hidden others, or was hidden by others (blocks and mutes, see sql/schema.sql), has
 * a page of its own.
 *
 * The number of visibility grows with each change of blocks and mutes. A cached page has the number
 * of its snapshot, and a worker remembers for each caller whether anyone was hidden at a number. If
 * both numbers are equal, the worker knows without a statement what to serve: the cached page, or
 * the caller's own page, which takes one statement. Otherwise it first asks the database whether
 * anyone is hidden. A caller's own page is never stored. */
#ifndef CRUDDUR_HOME_VIEWERS_H
#define CRUDDUR_HOME_VIEWERS_H

#include <stdbool.h>

#include "home/cache.h"

enum {
    VIEWERS_MAX = 1024,       /* callers that a worker remembers; two may contend for one place */
    VIEWERS_NAME_MAX = 135,   /* bytes; callers with longer names are not remembered */
    VIEWERS_QUESTIONS_MAX = 2 /* for one request, if blocks change meanwhile; then its own page */
};

struct viewers;

/* hidden: the statement that asks whether anyone is hidden; its parameters are sub and viewer. All
 * three must outlive the viewers. */
struct viewers *viewers_new(struct cache *cache, const struct statement_runner *reads,
                            const struct statement_def *hidden);
void viewers_free(struct viewers *viewers); /* NULL is allowed */

/* Whether the statement names a caller. */
bool viewers_accepts(const struct statement *statement);

/* Answers a statement that names a caller and that the cache accepts. Calls done exactly once,
 * maybe before this function returns. The statement must live until then. */
void viewers_submit(struct viewers *viewers, const struct statement *statement, cache_done *done,
                    void *context);

#endif
