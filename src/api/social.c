#include "api/social.h"

#include <stdbool.h>

#include "api/author.h"
#include "api/rules.h"
#include "api/status.h"
#include "http/body.h"

/* What the caller does, or with on "false" takes back. The path's capture is what it is done to. */
static enum decision turn(enum statement_id id, const char *what, const char *on, struct call *call,
                          struct response *response, struct statement *statement)
{
    if (!author_begin(statement, id, call, response)) {
        return DECISION_RESPOND;
    }
    statement_bind(statement, what, call->request->capture[0]);
    statement_bind(statement, "on", on);
    return DECISION_ASK;
}

enum decision social_like(struct call *call, struct response *response, struct statement *statement)
{
    return turn(STATEMENT_SOCIAL_LIKE, "uuid", "true", call, response, statement);
}

enum decision social_unlike(struct call *call, struct response *response,
                            struct statement *statement)
{
    return turn(STATEMENT_SOCIAL_LIKE, "uuid", "false", call, response, statement);
}

enum decision social_repost(struct call *call, struct response *response,
                            struct statement *statement)
{
    return turn(STATEMENT_SOCIAL_REPOST, "uuid", "true", call, response, statement);
}

enum decision social_unrepost(struct call *call, struct response *response,
                              struct statement *statement)
{
    return turn(STATEMENT_SOCIAL_REPOST, "uuid", "false", call, response, statement);
}

static enum decision turn_follow(const char *on, struct call *call, struct response *response,
                                 struct statement *statement)
{
    enum decision decision =
        turn(STATEMENT_SOCIAL_FOLLOW, "followed", on, call, response, statement);

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

static enum decision list(enum statement_id id, struct call *call, struct response *response,
                          struct statement *statement)
{
    if (!author_begin(statement, id, call, response)) {
        return DECISION_RESPOND;
    }
    endpoint_bind_page(statement, &call->page);
    return DECISION_ASK;
}

enum decision social_following(struct call *call, struct response *response,
                               struct statement *statement)
{
    bool has_since = call->page.since != NULL;
    enum decision decision =
        list(has_since ? STATEMENT_SOCIAL_FOLLOWING_SINCE : STATEMENT_SOCIAL_FOLLOWING, call,
             response, statement);

    if (decision == DECISION_ASK && has_since) {
        statement_bind(statement, "since", call->page.since);
    } else if (decision == DECISION_ASK) {
        statement_bind(statement, "view", call->page.view);
    }
    return decision;
}

enum decision social_notifications(struct call *call, struct response *response,
                                   struct statement *statement)
{
    enum decision decision = list(STATEMENT_SOCIAL_NOTIFICATIONS, call, response, statement);

    if (decision == DECISION_ASK) {
        endpoint_bind_since(statement, &call->page);
    }
    return decision;
}

enum decision social_unread(struct call *call, struct response *response,
                            struct statement *statement)
{
    return author_begin(statement, STATEMENT_SOCIAL_UNREAD, call, response) ? DECISION_ASK
                                                                            : DECISION_RESPOND;
}

enum decision social_read(struct call *call, struct response *response, struct statement *statement)
{
    struct broken broken = {0};
    const char *until, *until_us = NULL;

    if (body_take(call->request, call->body, "until", &until)) {
        until_us = rule_time(until, call->request->arena, &broken);
    } else {
        broken_add(&broken, STATUS_UNTIL_INVALID);
    }
    const char *handle = author_handle(call, "user_handle", "handle", &broken);

    if (broken.count > 0) {
        return endpoint_refuse(call, &broken, response);
    }
    *statement = statement_of(STATEMENT_SOCIAL_READ);
    author_bind(statement, call, handle);
    statement_bind(statement, "until_us", until_us);
    return DECISION_ASK;
}
