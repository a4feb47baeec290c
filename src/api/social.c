/* Follows, likes, reposts and notifications. PUT sets a relation, and DELETE removes it. Both run
 * the same statement with another value of its parameter on, and repeating either changes
 * nothing. */
#include "api/social.h"

#include <stdbool.h>

#include "api/author.h"
#include "api/rules.h"
#include "api/status.h"
#include "http/body.h"

/* Sets *statement to def, which does something for the caller, or takes it back if on is "false".
 * what is the name of the parameter for the user or activity in the path. */
static enum decision turn(const struct statement_def *def, const char *what, const char *on,
                          struct call *call, struct response *response, struct statement *statement)
{
    if (!author_begin(statement, def, call, response)) {
        return DECISION_RESPOND;
    }
    statement_bind(statement, what, call->request->capture[0]);
    statement_bind(statement, "on", on);
    return DECISION_ASK;
}

const struct statement_def SOCIAL_MARK = {
    .name = "social/mark",
    .parameters = {"kind", "uuid", "on", "sub", "handle", "not_after"},
    .lane = LANE_WRITE,
};

static enum decision mark(const char *kind, const char *on, struct call *call,
                          struct response *response, struct statement *statement)
{
    enum decision decision = turn(&SOCIAL_MARK, "uuid", on, call, response, statement);

    if (decision == DECISION_ASK) {
        statement_bind(statement, "kind", kind);
    }
    return decision;
}

enum decision social_like(struct call *call, struct response *response, struct statement *statement)
{
    return mark("like", "true", call, response, statement);
}

enum decision social_unlike(struct call *call, struct response *response,
                            struct statement *statement)
{
    return mark("like", "false", call, response, statement);
}

enum decision social_repost(struct call *call, struct response *response,
                            struct statement *statement)
{
    return mark("repost", "true", call, response, statement);
}

enum decision social_unrepost(struct call *call, struct response *response,
                              struct statement *statement)
{
    return mark("repost", "false", call, response, statement);
}

const struct statement_def SOCIAL_FOLLOW = {
    .name = "social/follow",
    .parameters = {"followed", "on", "most", "sub", "handle", "not_after"},
    .lane = LANE_WRITE,
};

static enum decision turn_follow(const char *on, struct call *call, struct response *response,
                                 struct statement *statement)
{
    enum decision decision = turn(&SOCIAL_FOLLOW, "followed", on, call, response, statement);

    statement_bind(statement, "most", FOLLOWS_MAX);
    return decision;
}

enum decision social_follow(struct call *call, struct response *response,
                            struct statement *statement)
{
    return turn_follow("true", call, response, statement);
}

enum decision social_unfollow(struct call *call, struct response *response,
                              struct statement *statement)
{
    return turn_follow("false", call, response, statement);
}

const struct statement_def SOCIAL_BLOCK = {
    .name = "social/block",
    .parameters = {"blocked", "on", "most", "sub", "handle", "not_after"},
    .lane = LANE_WRITE,
};

static enum decision turn_block(const char *on, struct call *call, struct response *response,
                                struct statement *statement)
{
    enum decision decision = turn(&SOCIAL_BLOCK, "blocked", on, call, response, statement);

    statement_bind(statement, "most", BLOCKS_MAX);
    return decision;
}

enum decision social_block(struct call *call, struct response *response,
                           struct statement *statement)
{
    return turn_block("true", call, response, statement);
}

enum decision social_unblock(struct call *call, struct response *response,
                             struct statement *statement)
{
    return turn_block("false", call, response, statement);
}

const struct statement_def SOCIAL_MUTE = {
    .name = "social/mute",
    .parameters = {"muted", "on", "most", "sub", "handle", "not_after"},
    .lane = LANE_WRITE,
};

static enum decision turn_mute(const char *on, struct call *call, struct response *response,
                               struct statement *statement)
{
    enum decision decision = turn(&SOCIAL_MUTE, "muted", on, call, response, statement);

    statement_bind(statement, "most", MUTES_MAX);
    return decision;
}

enum decision social_mute(struct call *call, struct response *response, struct statement *statement)
{
    return turn_mute("true", call, response, statement);
}

enum decision social_unmute(struct call *call, struct response *response,
                            struct statement *statement)
{
    return turn_mute("false", call, response, statement);
}

const struct statement_def SOCIAL_HIDDEN = {
    .name = "social/hidden",
    .parameters = {"sub", "viewer"},
};

const struct statement_def SOCIAL_FOLLOWERS = {
    .name = "social/followers",
    .parameters = {"sub", "viewer", "followed", "limit", "after_us", "after_uuid"},
    .on_replica = true,
};

enum decision social_followers(struct call *call, struct response *response,
                               struct statement *statement)
{
    (void)response;
    *statement = statement_of(&SOCIAL_FOLLOWERS);
    author_bind_viewer(statement, call);
    statement_bind(statement, "followed", call->request->capture[0]);
    endpoint_bind_page(statement, &call->page);
    return DECISION_ASK;
}

const struct statement_def SOCIAL_MARKS = {
    .name = "social/marks",
    .parameters = {"sub", "viewer", "kind", "uuid", "limit", "after_us", "after_uuid"},
    .on_replica = true,
};

static enum decision list_marks(const char *kind, struct call *call, struct statement *statement)
{
    *statement = statement_of(&SOCIAL_MARKS);
    author_bind_viewer(statement, call);
    statement_bind(statement, "kind", kind);
    statement_bind(statement, "uuid", call->request->capture[0]);
    endpoint_bind_page(statement, &call->page);
    return DECISION_ASK;
}

enum decision social_likes(struct call *call, struct response *response,
                           struct statement *statement)
{
    (void)response;
    return list_marks("like", call, statement);
}

enum decision social_reposts(struct call *call, struct response *response,
                             struct statement *statement)
{
    (void)response;
    return list_marks("repost", call, statement);
}

static enum decision list_for_caller(const struct statement_def *def, struct call *call,
                                     struct response *response, struct statement *statement)
{
    if (!author_begin(statement, def, call, response)) {
        return DECISION_RESPOND;
    }
    endpoint_bind_page(statement, &call->page);
    return DECISION_ASK;
}

const struct statement_def SOCIAL_FOLLOWING = {
    .name = "social/following",
    .parameters = {"sub", "handle", "limit", "after_us", "after_uuid", "view"},
    .lane = LANE_SLOW,
};

const struct statement_def SOCIAL_FOLLOWING_SINCE = {
    .name = "social/following_since",
    .parameters = {"sub", "handle", "since", "limit", "after_us", "after_uuid"},
    .lane = LANE_SLOW,
};

enum decision social_following(struct call *call, struct response *response,
                               struct statement *statement)
{
    bool has_since = call->page.since != NULL;
    enum decision decision = list_for_caller(
        has_since ? &SOCIAL_FOLLOWING_SINCE : &SOCIAL_FOLLOWING, call, response, statement);

    if (decision == DECISION_ASK && has_since) {
        statement_bind(statement, "since", call->page.since);
    } else if (decision == DECISION_ASK) {
        statement_bind(statement, "view", call->page.view);
    }
    return decision;
}

const struct statement_def SOCIAL_NOTIFICATIONS = {
    .name = "social/notifications",
    .parameters = {"sub", "handle", "limit", "after_us", "after_uuid", "since_us", "since_uuid"},
    .on_replica = true,
};

enum decision social_notifications(struct call *call, struct response *response,
                                   struct statement *statement)
{
    enum decision decision = list_for_caller(&SOCIAL_NOTIFICATIONS, call, response, statement);

    if (decision == DECISION_ASK) {
        endpoint_bind_since(statement, &call->page);
    }
    return decision;
}

const struct statement_def SOCIAL_UNREAD = {
    .name = "social/unread",
    .parameters = {"sub", "handle"},
    .on_replica = true,
};

enum decision social_unread(struct call *call, struct response *response,
                            struct statement *statement)
{
    return author_begin(statement, &SOCIAL_UNREAD, call, response) ? DECISION_ASK
                                                                   : DECISION_RESPOND;
}

const struct statement_def SOCIAL_READ = {
    .name = "social/read",
    .parameters = {"until_us", "sub", "handle", "not_after"},
    .lane = LANE_WRITE,
};

/* A client sends the time of its list's first row, so what became visible later stays unread. */
enum decision social_read(struct call *call, struct response *response, struct statement *statement)
{
    struct broken broken = {0};
    const char *until_us = author_until(call, &broken);
    const char *handle = author_handle(call, "user_handle", "handle", &broken);

    if (broken.count > 0) {
        return endpoint_refuse(call, &broken, response);
    }
    *statement = statement_of(&SOCIAL_READ);
    author_bind(statement, call, handle);
    statement_bind(statement, "until_us", until_us);
    return DECISION_ASK;
}

const struct statement_def SOCIAL_REPORT = {
    .name = "social/report",
    .parameters = {"uuid", "reason", "most", "sub", "handle", "not_after"},
    .lane = LANE_WRITE,
};

enum decision social_report(struct call *call, struct response *response,
                            struct statement *statement)
{
    const char *reason = body_string(call->request, call->body, "reason");
    struct broken broken = {0};

    rule_reason(reason, &broken);
    const char *handle = author_handle(call, "user_handle", "handle", &broken);

    if (broken.count > 0) {
        return endpoint_refuse(call, &broken, response);
    }
    *statement = statement_of(&SOCIAL_REPORT);
    author_bind(statement, call, handle);
    author_bind_most(statement, call, call->reports_per_hour);
    statement_bind(statement, "uuid", call->request->capture[0]);
    statement_bind(statement, "reason", reason);
    return DECISION_ASK;
}
