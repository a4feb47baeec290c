#include "api/activities.h"

#include "api/author.h"
#include "api/rules.h"
#include "http/body.h"

enum decision activities_home(struct call *call, struct response *response,
                              struct statement *statement)
{
    (void)response;
    *statement = statement_of(STATEMENT_ACTIVITIES_HOME);
    endpoint_bind_page(statement, &call->page);
    return DECISION_ASK;
}

static enum decision show(const struct call *call, const char *handle, const char *uuid,
                          struct statement *statement)
{
    *statement = statement_of(STATEMENT_ACTIVITIES_SHOW);
    author_bind_viewer(statement, call);
    statement_bind(statement, "uuid", uuid);
    statement_bind(statement, "handle", handle);
    return DECISION_ASK;
}

enum decision activities_show(struct call *call, struct response *response,
                              struct statement *statement)
{
    (void)response;
    return show(call, NULL, call->request->capture[0], statement);
}

enum decision activities_show_of(struct call *call, struct response *response,
                                 struct statement *statement)
{
    (void)response;
    return show(call, call->request->capture[0], call->request->capture[1], statement);
}

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
    *statement = statement_of(STATEMENT_ACTIVITIES_CREATE);
    author_bind(statement, call, handle);
    statement_bind(statement, "uuid", uuid);
    statement_bind(statement, "message", message);
    statement_bind(statement, "ttl", ttl);
    author_bind_most(statement, call, call->posts_per_hour);
    return DECISION_ASK;
}

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
    *statement = statement_of(STATEMENT_ACTIVITIES_REPLY);
    author_bind(statement, call, handle);
    statement_bind(statement, "uuid", uuid);
    statement_bind(statement, "message", message);
    author_bind_most(statement, call, call->posts_per_hour);
    statement_bind(statement, "parent", call->request->capture[0]);
    return DECISION_ASK;
}

enum decision activities_delete(struct call *call, struct response *response,
                                struct statement *statement)
{
    if (!author_begin(statement, STATEMENT_ACTIVITIES_DELETE, call, response)) {
        return DECISION_RESPOND;
    }
    statement_bind(statement, "uuid", call->request->capture[0]);
    return DECISION_ASK;
}
