/* Handlers of posts. They check the values of a request and name a statement. The statement decides
 * in the transaction of the write whether the activity exists, which user it belongs to, and
 * whether another one is within the limits. So two requests at the same time cannot both pass a
 * check that only one of them may pass. */
#include "api/activities.h"

#include <string.h>

#include "api/author.h"
#include "api/rules.h"
#include "api/status.h"
#include "base/arena.h"
#include "http/body.h"
#include "http/query.h"

const struct statement_def ACTIVITIES_HOME = {
    .name = "activities/home",
    .parameters = {"sub", "viewer", "limit", "after_us", "after_uuid", "week4"},
};

const struct statement_def ACTIVITIES_SINCE = {
    .name = "activities/since",
    .parameters = {"sub", "viewer", "since", "limit", "after_us", "after_uuid", "week4"},
};

/* Two statements: a request with ?since= is rarer, and its comparison of snapshots would slow the
 * page down for every other request. */
enum decision activities_home(struct call *call, struct response *response,
                              struct statement *statement)
{
    (void)response;
    if (call->page.since == NULL) {
        *statement = statement_of(&ACTIVITIES_HOME);
    } else {
        *statement = statement_of(&ACTIVITIES_SINCE);
        statement_bind(statement, "since", call->page.since);
    }
    endpoint_bind_page(statement, &call->page);
    author_bind_viewer(statement, call);
    statement_bind(statement, "week4", call->wants_week4 ? "true" : "false");
    return DECISION_ASK;
}

/* The stream's events are made in worker/stream.c, from the cached page of home, so the request has
 * no statement. */
enum decision activities_events(struct call *call, struct response *response,
                                struct statement *statement)
{
    (void)call;
    (void)statement;
    response_stream(response, "text/event-stream");
    return DECISION_STREAM;
}

/* Reads ?order=. False: the value is neither "oldest" nor "newest". */
static bool take_order(struct call *call, bool *newest)
{
    const char *order;

    *newest = false;
    if (query_value(call->request, "order", &order) != STATUS_OK) {
        return false;
    }
    if (order == NULL || strcmp(order, "oldest") == 0) {
        return true;
    }
    *newest = true;
    call->page.filter = "&order=newest";
    return strcmp(order, "newest") == 0;
}

const struct statement_def ACTIVITIES_SHOW = {
    .name = "activities/show",
    .parameters = {"uuid", "handle", "newest", "sub", "viewer", "limit", "after_us", "after_uuid"},
    .on_replica = true,
};

/* The activity of a UUID. handle: its author's, which must match; NULL: any author. */
static enum decision show(struct call *call, const char *handle, const char *uuid,
                          struct response *response, struct statement *statement)
{
    struct broken broken = {0};
    bool newest;

    if (!take_order(call, &newest)) {
        broken_add(&broken, STATUS_ORDER_INVALID);
        return endpoint_refuse(call, &broken, response);
    }
    *statement = statement_of(&ACTIVITIES_SHOW);
    endpoint_bind_page(statement, &call->page);
    statement_bind(statement, "newest", newest ? "true" : "false");
    author_bind_viewer(statement, call);
    statement_bind(statement, "uuid", uuid);
    statement_bind(statement, "handle", handle);
    return DECISION_ASK;
}

enum decision activities_show(struct call *call, struct response *response,
                              struct statement *statement)
{
    return show(call, NULL, call->request->capture[0], response, statement);
}

enum decision activities_show_of(struct call *call, struct response *response,
                                 struct statement *statement)
{
    return show(call, call->request->capture[0], call->request->capture[1], response, statement);
}

/* Binds the repeat window; 0 for a request with an Idempotency-Key, because the key alone then
 * identifies repetitions. */
static void bind_window(struct statement *statement, const struct call *call)
{
    bool has_key = call->request->idempotency_key != NULL;

    statement_bind(statement, "window_s",
                   arena_printf(call->request->arena, "%d", has_key ? 0 : call->repeat_window_s));
}

/* Whether a message may mention a user, whose notifications are written under a lock. The trigger
 * activities_tell looks for the same characters, which fold_text turns into "@". */
static bool may_mention(const char *message)
{
    return strchr(message, '@') != NULL || strstr(message, "\ufe6b") != NULL ||
           strstr(message, "\uff20") != NULL;
}

const struct statement_def ACTIVITIES_CREATE = {
    .name = "activities/create",
    .parameters = {"uuid", "sub", "handle", "message", "ttl", "most", "window_s", "not_after"},
    .lane = LANE_WRITE,
    .may_share = true,
};

/* All rules are checked before the refusal, so that a client sees every broken rule at once. */
enum decision activities_create(struct call *call, struct response *response,
                                struct statement *statement)
{
    const char *message = body_string(call->request, call->body, "message");
    struct broken broken = {0};

    rule_message(message, &broken);
    const char *handle = author_handle(call, "user_handle", "handle", &broken);
    const char *ttl = rule_ttl(body_string(call->request, call->body, "ttl"), &broken);
    const char *uuid = author_row_uuid(call, handle, "activity", &broken);
    if (broken.count > 0) {
        return endpoint_refuse(call, &broken, response);
    }
    *statement = statement_of(&ACTIVITIES_CREATE);
    statement->takes_locks = may_mention(message);
    author_bind(statement, call, handle);
    statement_bind(statement, "uuid", uuid);
    statement_bind(statement, "message", message);
    statement_bind(statement, "ttl", ttl);
    author_bind_most(statement, call, call->posts_per_hour);
    bind_window(statement, call);
    return DECISION_ASK;
}

const struct statement_def ACTIVITIES_REPLY = {
    .name = "activities/reply",
    .parameters = {"uuid", "sub", "handle", "message", "parent", "most", "window_s", "not_after"},
    .lane = LANE_WRITE,
};

/* The statement checks the parent and locks its row, which has the number of its replies. */
enum decision activities_reply(struct call *call, struct response *response,
                               struct statement *statement)
{
    const char *message = body_string(call->request, call->body, "message");
    struct broken broken = {0};

    rule_long_message(message, &broken);
    const char *handle = author_handle(call, "user_handle", "handle", &broken);
    const char *uuid = author_row_uuid(call, handle, "reply", &broken);
    if (broken.count > 0) {
        return endpoint_refuse(call, &broken, response);
    }
    *statement = statement_of(&ACTIVITIES_REPLY);
    author_bind(statement, call, handle);
    statement_bind(statement, "uuid", uuid);
    statement_bind(statement, "message", message);
    author_bind_most(statement, call, call->posts_per_hour);
    statement_bind(statement, "parent", call->request->capture[0]);
    bind_window(statement, call);
    return DECISION_ASK;
}

const struct statement_def ACTIVITIES_DELETE = {
    .name = "activities/delete",
    .parameters = {"uuid", "sub", "handle", "not_after"},
    .lane = LANE_WRITE,
    .takes_turns = true,
};

/* The statement checks that the caller is the author. */
enum decision activities_delete(struct call *call, struct response *response,
                                struct statement *statement)
{
    if (!author_begin(statement, &ACTIVITIES_DELETE, call, response)) {
        return DECISION_RESPOND;
    }
    statement_bind(statement, "uuid", call->request->capture[0]);
    return DECISION_ASK;
}

const struct statement_def ACTIVITIES_KEEP = {
    .name = "activities/keep",
    .parameters = {"uuid", "ttl", "sub", "handle", "not_after"},
    .lane = LANE_WRITE,
    .takes_turns = true,
};

enum decision activities_keep(struct call *call, struct response *response,
                              struct statement *statement)
{
    struct broken broken = {0};
    const char *ttl = rule_ttl(body_string(call->request, call->body, "ttl"), &broken);
    const char *handle = author_handle(call, "user_handle", "handle", &broken);

    if (broken.count > 0) {
        return endpoint_refuse(call, &broken, response);
    }
    *statement = statement_of(&ACTIVITIES_KEEP);
    author_bind(statement, call, handle);
    statement_bind(statement, "uuid", call->request->capture[0]);
    statement_bind(statement, "ttl", ttl);
    return DECISION_ASK;
}

const struct statement_def ACTIVITIES_TRENDS = {
    .name = "activities/trends",
    .shape = SHAPE_ARRAY,
    .on_replica = true,
};

enum decision activities_trends(struct call *call, struct response *response,
                                struct statement *statement)
{
    (void)call;
    (void)response;
    *statement = statement_of(&ACTIVITIES_TRENDS);
    return DECISION_ASK;
}

const struct statement_def ACTIVITIES_SEARCH = {
    .name = "activities/search",
    .shape = SHAPE_ARRAY,
    .parameters = {"sub", "viewer", "term", "limit"},
    .lane = LANE_SLOW,
    .on_replica = true,
};

/* There is only one page: the best of the newest activities have no order in which a next page
 * could continue. */
enum decision activities_search(struct call *call, struct response *response,
                                struct statement *statement)
{
    struct broken broken = {0};
    const char *term;

    if (query_text(call->request, "term", &term) != STATUS_OK) {
        broken_add(&broken, STATUS_MALFORMED_REQUEST);
    } else {
        rule_search_term(term, &broken);
    }
    if (call->page.after_us != NULL) {
        broken_add(&broken, STATUS_CURSOR_INVALID); /* there is one page */
    }
    if (broken.count > 0) {
        return endpoint_refuse(call, &broken, response);
    }
    *statement = statement_of(&ACTIVITIES_SEARCH);
    statement_bind(statement, "limit", call->page.limit);
    author_bind_viewer(statement, call);
    statement_bind(statement, "term", term);
    return DECISION_ASK;
}
