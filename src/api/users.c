#include "api/users.h"

#include "api/author.h"
#include "api/rules.h"
#include "http/body.h"

enum decision users_short(struct call *call, struct response *response, struct statement *statement)
{
    (void)response;
    *statement = statement_of(STATEMENT_USERS_SHORT);
    statement_bind(statement, "handle", call->request->capture[0]);
    return DECISION_ASK;
}

enum decision users_suggested(struct call *call, struct response *response,
                              struct statement *statement)
{
    (void)response;
    *statement = statement_of(STATEMENT_USERS_SUGGESTED);
    author_bind_viewer(statement, call);
    return DECISION_ASK;
}

enum decision users_feed(struct call *call, struct response *response, struct statement *statement)
{
    (void)response;
    *statement = statement_of(STATEMENT_USERS_FEED);
    author_bind_viewer(statement, call);
    statement_bind(statement, "handle", call->request->capture[0]);
    statement_bind(statement, "week4", call->wants_week4 ? "true" : "false");
    endpoint_bind_page(statement, &call->page);
    return DECISION_ASK;
}

enum decision users_update(struct call *call, struct response *response,
                           struct statement *statement)
{
    const char *display_name = body_string(call->request, call->body, "display_name");
    const char *bio = body_string(call->request, call->body, "bio");
    struct broken broken = {0};

    rule_display_name(display_name, &broken);
    rule_bio(bio, &broken);
    const char *handle = author_handle(call, "user_handle", "handle", &broken);
    if (broken.count > 0) {
        return endpoint_refuse(call, &broken, response);
    }
    *statement = statement_of(STATEMENT_USERS_UPDATE);
    author_bind(statement, call, handle);
    statement_bind(statement, "display_name", display_name);
    statement_bind(statement, "bio", bio != NULL ? bio : "");
    return DECISION_ASK;
}
