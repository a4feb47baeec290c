#include "home/viewers.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/memory.h"
#include "base/status.h"
#include "db/pipeline.h"
#include "db/statement.h"
#include "http/etag.h"

/* What is known of a caller. The name is the whole subject or handle, after a letter that says
 * which of the two it is. A hash alone could be another caller's. */
struct viewer {
    char name[VIEWERS_NAME_MAX + 1]; /* "": the place is unused */
    int64_t visibility;
    bool has_hidden;
};

/* A request, until it is answered.
 *
 *     [page] ──known, none hidden──► done with the page
 *     [page] ──known, some hidden──► [own page] ──► done
 *     [page] ──not known──► [question] ──none hidden──► [page], ──some hidden──► [own page] */
struct visit {
    struct viewers *viewers;
    const struct statement *statement; /* the request's, which lives until done is called */
    struct statement question;
    char name[VIEWERS_NAME_MAX + 1]; /* "": too long to be remembered */
    int questions;
    char etag[ETAG_SIZE];
    cache_done *done;
    void *context;
    struct visit *next, **link; /* in the list of all */
};

struct viewers {
    struct cache *cache;
    const struct statement_runner *reads;
    const struct statement_def *hidden;
    struct viewer places[VIEWERS_MAX];
    struct visit *visits;
};

struct viewers *viewers_new(struct cache *cache, const struct statement_runner *reads,
                            const struct statement_def *hidden)
{
    struct viewers *viewers = memory_zeroed(sizeof *viewers);

    viewers->cache = cache;
    viewers->reads = reads;
    viewers->hidden = hidden;
    return viewers;
}

static void visit_free(struct visit *visit)
{
    *visit->link = visit->next;
    if (visit->next != NULL) {
        visit->next->link = visit->link;
    }
    memory_free(visit);
}

void viewers_free(struct viewers *viewers)
{
    if (viewers == NULL) {
        return;
    }
    while (viewers->visits != NULL) {
        visit_free(viewers->visits);
    }
    memory_free(viewers);
}

bool viewers_accepts(const struct statement *statement)
{
    return statement_value(statement, "sub") != NULL ||
           statement_value(statement, "viewer") != NULL;
}

/* --- what is known --- */

/* If a caller chooses its name so that it shares the place of another caller, this costs the other
 * caller one question. */
static struct viewer *place_of(struct viewers *viewers, const char *name)
{
    return &viewers->places[hash_add(HASH_START, name, strlen(name)) % VIEWERS_MAX];
}

/* NULL: nothing is known of the caller at that number of visibility. */
static const struct viewer *find_viewer(struct viewers *viewers, const char *name,
                                        int64_t visibility)
{
    const struct viewer *viewer = place_of(viewers, name);

    return name[0] != '\0' && strcmp(viewer->name, name) == 0 && viewer->visibility == visibility
               ? viewer
               : NULL;
}

static void learn(struct viewers *viewers, const char *name, const struct result *result)
{
    struct viewer *viewer = place_of(viewers, name);

    if (name[0] != '\0') {
        snprintf(viewer->name, sizeof viewer->name, "%s", name);
        viewer->visibility = result->visibility;
        viewer->has_hidden = strcmp(result->body, "false") != 0;
    }
}

/* --- a visit --- */

static void finish_visit(struct visit *visit, const struct result *result,
                         const struct cache_info *info)
{
    visit->done(visit->context, result, info);
    visit_free(visit);
}

static void own_done(void *context, const struct result *result)
{
    struct visit *visit = context;
    const struct cache_info info = {.etag = visit->etag};
    bool has_page = result->status == STATUS_OK && result->body != NULL;

    if (has_page) {
        etag_make(visit->etag, result->body, result->body_length);
    }
    finish_visit(visit, result, has_page ? &info : NULL);
}

static void submit_own(struct visit *visit)
{
    const struct statement_runner *reads = visit->viewers->reads;

    reads->submit(reads->context, visit->statement, own_done, visit);
}

static void page_done(void *context, const struct result *result, const struct cache_info *info);

static void question_done(void *context, const struct result *result)
{
    struct visit *visit = context;
    struct viewers *viewers = visit->viewers;

    if (result->status != STATUS_OK || result->body == NULL) {
        finish_visit(visit, result, NULL);
        return;
    }
    learn(viewers, visit->name, result);
    if (strcmp(result->body, "false") != 0 || visit->name[0] == '\0' ||
        !cache_submit(viewers->cache, visit->statement, page_done, visit)) {
        submit_own(visit);
    }
}

/* The page is fresh, or stale because the database is away. A stale one is served only to callers
 * that are known, since the question fails for the others. */
static void page_done(void *context, const struct result *result, const struct cache_info *info)
{
    struct visit *visit = context;
    struct viewers *viewers = visit->viewers;

    if (result->status != STATUS_OK || result->body == NULL) {
        finish_visit(visit, result, info);
        return;
    }
    const struct viewer *viewer = find_viewer(viewers, visit->name, result->visibility);
    if (viewer != NULL && !viewer->has_hidden) {
        finish_visit(visit, result, info);
    } else if (viewer != NULL || visit->questions == VIEWERS_QUESTIONS_MAX) {
        submit_own(visit);
    } else {
        visit->questions++;
        viewers->reads->submit(viewers->reads->context, &visit->question, question_done, visit);
    }
}

void viewers_submit(struct viewers *viewers, const struct statement *statement, cache_done *done,
                    void *context)
{
    const char *subject = statement_value(statement, "sub");
    const char *handle = statement_value(statement, "viewer");
    const char *name = subject != NULL ? subject : handle;
    struct visit *visit = memory_zeroed(sizeof *visit);

    *visit = (struct visit){.viewers = viewers,
                            .statement = statement,
                            .question = statement_of(viewers->hidden),
                            .done = done,
                            .context = context,
                            .next = viewers->visits,
                            .link = &viewers->visits};
    if (strlen(name) < VIEWERS_NAME_MAX) {
        snprintf(visit->name, sizeof visit->name, "%c%s", subject != NULL ? 's' : 'h', name);
    }
    statement_bind(&visit->question, "sub", subject);
    statement_bind(&visit->question, "viewer", handle);
    visit->question.asked_us = statement->asked_us;
    visit->question.trace = statement->trace;
    if (visit->next != NULL) {
        visit->next->link = &visit->next;
    }
    viewers->visits = visit;
    if (!cache_submit(viewers->cache, statement, page_done, visit)) {
        submit_own(visit);
    }
}
