#include "api/activities.h"

#include "api/rules.h"
#include "base/ids.h"
#include "http/body.h"
#include "http/problem.h"

enum decision activities_home(struct call *call, struct response *response,
                              struct statement *statement)
{
    (void)response;
    *statement = statement_of(STATEMENT_ACTIVITIES_HOME);
    statement_bind(statement, "limit", call->page.limit);
    statement_bind(statement, "after_us", call->page.after_us);
    statement_bind(statement, "after_uuid", call->page.after_uuid);
    return DECISION_ASK;
}

enum decision activities_show(struct call *call, struct response *response,
                              struct statement *statement)
{
    (void)response;
    *statement = statement_of(STATEMENT_ACTIVITIES_SHOW);
    statement_bind(statement, "uuid", call->request->capture[0]);
    return DECISION_ASK;
}

/* The author that the body names: the frontends of week 4 differ in the field's name. */
static const char *author_handle(const struct call *call)
{
    const char *handle = body_string(call->request, call->body, "user_handle");

    return handle != NULL ? handle : body_string(call->request, call->body, "handle");
}

enum decision activities_create(struct call *call, struct response *response,
                                struct statement *statement)
{
    const char *message = body_string(call->request, call->body, "message");
    const char *handle = author_handle(call);
    struct broken broken = {0};
    char *uuid = arena_alloc(call->request->arena, UUID_TEXT_SIZE);

    rule_message(message, MESSAGE_MAX_CHARS, &broken);
    rule_user_handle(handle, &broken);
    const char *ttl = rule_ttl(body_string(call->request, call->body, "ttl"), &broken);
    if (broken.count > 0) {
        problem_respond(response, call->request, broken.rules, broken.count);
        return DECISION_RESPOND;
    }
    uuid_make(uuid);
    *statement = statement_of(STATEMENT_ACTIVITIES_CREATE);
    statement_bind(statement, "uuid", uuid);
    statement_bind(statement, "handle", handle);
    statement_bind(statement, "message", message);
    statement_bind(statement, "ttl", ttl);
    return DECISION_ASK;
}
