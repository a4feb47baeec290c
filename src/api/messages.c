#include "api/messages.h"

#include "api/author.h"
#include "api/rules.h"
#include "base/ids.h"
#include "http/body.h"

enum decision messages_groups(struct call *call, struct response *response,
                              struct statement *statement)
{
    struct broken broken = {0};
    const char *handle = author_handle(call, NULL, NULL, &broken);

    if (broken.count > 0) {
        return endpoint_refuse(call, &broken, response);
    }
    *statement = statement_of(STATEMENT_MESSAGES_GROUPS);
    author_bind(statement, call, handle);
    endpoint_bind_page(statement, &call->page);
    return DECISION_ASK;
}

static enum decision list(struct call *call, const char *group, const char *other,
                          struct response *response, struct statement *statement)
{
    struct broken broken = {0};
    const char *handle = author_handle(call, NULL, NULL, &broken);

    if (broken.count > 0) {
        return endpoint_refuse(call, &broken, response);
    }
    *statement = statement_of(STATEMENT_MESSAGES_LIST);
    author_bind(statement, call, handle);
    statement_bind(statement, "group", group);
    statement_bind(statement, "other", other);
    endpoint_bind_page(statement, &call->page);
    return DECISION_ASK;
}

enum decision messages_list(struct call *call, struct response *response,
                            struct statement *statement)
{
    return list(call, call->request->capture[0], NULL, response, statement);
}

enum decision messages_list_of(struct call *call, struct response *response,
                               struct statement *statement)
{
    return list(call, NULL, call->request->capture[0], response, statement);
}

/* Whom a first message is for: `handle` is the finished frontend's field, the other week 4's. */
static const char *receiver_handle(const struct call *call)
{
    const char *handle = body_string(call->request, call->body, "handle");

    return handle != NULL ? handle : body_string(call->request, call->body, "user_receiver_handle");
}

static enum decision append(const struct call *call, const char *handle, const char *uuid,
                            const char *group, const char *message, struct statement *statement)
{
    *statement = statement_of(STATEMENT_MESSAGES_APPEND);
    author_bind(statement, call, handle);
    statement_bind(statement, "uuid", uuid);
    author_bind_most(statement, call, call->messages_per_hour);
    statement_bind(statement, "group", group);
    statement_bind(statement, "message", message);
    return DECISION_ASK;
}

static enum decision begin(const struct call *call, const char *handle, const char *uuid,
                           const char *other, const char *message, struct statement *statement)
{
    char *group = arena_alloc(call->request->arena, UUID_TEXT_SIZE);

    uuid_make(group);
    *statement = statement_of(STATEMENT_MESSAGES_START);
    author_bind(statement, call, handle);
    statement_bind(statement, "uuid", uuid);
    statement_bind(statement, "group", group);
    statement_bind(statement, "other", other);
    author_bind_most(statement, call, call->messages_per_hour);
    statement_bind(statement, "message", message);
    return DECISION_ASK;
}

enum decision messages_send(struct call *call, struct response *response,
                            struct statement *statement)
{
    const char *message = body_string(call->request, call->body, "message");
    const char *group = body_string(call->request, call->body, "message_group_uuid");
    const char *other = receiver_handle(call);
    struct broken broken = {0};

    rule_long_message(message, &broken);
    if (group == NULL) {
        rule_receiver_handle(other, &broken);
    } else if (!uuid_is_valid(group)) {
        broken_add(&broken, STATUS_MESSAGE_GROUP_UUID_BLANK);
    }
    const char *handle = author_handle(call, "user_handle", "user_sender_handle", &broken);
    const char *uuid = author_row_uuid(call, handle, "message", &broken);
    if (broken.count > 0) {
        return endpoint_refuse(call, &broken, response);
    }
    return group != NULL ? append(call, handle, uuid, group, message, statement)
                         : begin(call, handle, uuid, other, message, statement);
}
