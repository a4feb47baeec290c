/* Conversations and messages. A message names its receiver by the conversation's UUID or by a
 * handle. The first way appends to a conversation, which must exist and include the caller; the
 * second one begins a conversation if there is none. Both frontends' field names are accepted. */
#include "api/messages.h"

#include "api/author.h"
#include "api/rules.h"
#include "api/status.h"
#include "base/arena.h"
#include "base/ids.h"
#include "http/body.h"

const struct statement_def MESSAGES_GROUPS = {
    .name = "messages/groups",
    .parameters = {"sub", "handle", "limit", "after_us", "after_uuid", "view", "since"},
};

enum decision messages_groups(struct call *call, struct response *response,
                              struct statement *statement)
{
    struct broken broken = {0};
    const char *handle = author_handle(call, NULL, NULL, &broken);

    if (broken.count > 0) {
        return endpoint_refuse(call, &broken, response);
    }
    *statement = statement_of(&MESSAGES_GROUPS);
    author_bind(statement, call, handle);
    endpoint_bind_page(statement, &call->page);
    statement_bind(statement, "view", call->page.view);
    statement_bind(statement, "since", call->page.since);
    return DECISION_ASK;
}

const struct statement_def MESSAGES_LIST = {
    .name = "messages/list",
    .parameters = {"sub", "handle", "group", "other", "limit", "after_us", "after_uuid", "since_us",
                   "since_uuid"},
    .on_replica = true,
};

/* The conversation is named by its UUID (group) or by the other user's handle (other); one of these
 * is NULL. */
static enum decision list_messages(struct call *call, const char *group, const char *other,
                                   struct response *response, struct statement *statement)
{
    struct broken broken = {0};
    const char *handle = author_handle(call, NULL, NULL, &broken);

    if (broken.count > 0) {
        return endpoint_refuse(call, &broken, response);
    }
    *statement = statement_of(&MESSAGES_LIST);
    author_bind(statement, call, handle);
    statement_bind(statement, "group", group);
    statement_bind(statement, "other", other);
    endpoint_bind_page(statement, &call->page);
    endpoint_bind_since(statement, &call->page);
    return DECISION_ASK;
}

enum decision messages_list(struct call *call, struct response *response,
                            struct statement *statement)
{
    return list_messages(call, call->request->capture[0], NULL, response, statement);
}

enum decision messages_list_of(struct call *call, struct response *response,
                               struct statement *statement)
{
    return list_messages(call, NULL, call->request->capture[0], response, statement);
}

/* The conversation or the user that a message is for. */
struct receiver {
    const char *group;  /* a uuid; NULL: the conversation with that user */
    const char *handle; /* ignored if there is a group */
};

/* A message to be sent. */
struct draft {
    const char *handle; /* its sender's */
    const char *uuid;
    const char *message;
    const char *ttl; /* an interval; NULL: it does not expire */
};

/* The finished frontend has the field `handle`, the frontend of week 4 has user_receiver_handle.
 * The finished one also sends "@" and a handle as message_group_uuid, for a link to a user. */
static struct receiver take_receiver(const struct call *call, struct broken *broken)
{
    struct receiver receiver = {0};
    const char *other = NULL;
    bool is_group_good =
        body_take(call->request, call->body, "message_group_uuid", &receiver.group) &&
        (receiver.group == NULL || receiver.group[0] == '@' || uuid_is_valid(receiver.group));

    if (!is_group_good) {
        broken_add(broken, STATUS_MESSAGE_GROUP_UUID_BLANK);
    }
    if (!body_take(call->request, call->body, "handle", &receiver.handle) ||
        !body_take(call->request, call->body, "user_receiver_handle", &other)) {
        broken_add(broken, STATUS_RECEIVER_HANDLE_BLANK);
        return receiver;
    }
    receiver.handle = receiver.handle == NULL ? other : receiver.handle;
    if (receiver.group != NULL && receiver.group[0] == '@') {
        receiver = (struct receiver){.handle = receiver.group + 1};
    }
    if (receiver.group == NULL && is_group_good) {
        rule_receiver_handle(receiver.handle, broken);
    }
    return receiver;
}

const struct statement_def MESSAGES_APPEND = {
    .name = "messages/append",
    .parameters = {"uuid", "sub", "handle", "group", "message", "ttl", "most", "not_after"},
    .lane = LANE_WRITE,
};

static void bind_draft(struct statement *statement, const struct call *call,
                       const struct draft *draft)
{
    author_bind(statement, call, draft->handle);
    author_bind_most(statement, call, call->messages_per_hour);
    statement_bind(statement, "uuid", draft->uuid);
    statement_bind(statement, "message", draft->message);
    statement_bind(statement, "ttl", draft->ttl);
}

static enum decision append_message(const struct call *call, const struct draft *draft,
                                    const char *group, struct statement *statement)
{
    *statement = statement_of(&MESSAGES_APPEND);
    bind_draft(statement, call, draft);
    statement_bind(statement, "group", group);
    return DECISION_ASK;
}

const struct statement_def MESSAGES_START = {
    .name = "messages/start",
    .parameters = {"uuid", "sub", "handle", "group", "other", "message", "ttl", "most",
                   "not_after"},
    .lane = LANE_WRITE,
};

/* The new conversation's UUID is made here as well, so that a repeated statement finds both rows.
 */
static enum decision begin_conversation(const struct call *call, const struct draft *draft,
                                        const char *other, struct statement *statement)
{
    char *group = arena_alloc(call->request->arena, UUID_TEXT_SIZE);

    uuid_make(group);
    *statement = statement_of(&MESSAGES_START);
    bind_draft(statement, call, draft);
    statement_bind(statement, "group", group);
    statement_bind(statement, "other", other);
    return DECISION_ASK;
}

/* A message without a ttl, or with null, does not expire. */
static const char *take_ttl(const struct call *call, struct broken *broken)
{
    const char *ttl;

    if (!body_take(call->request, call->body, "ttl", &ttl)) {
        broken_add(broken, STATUS_TTL_BLANK);
        return NULL;
    }
    return ttl != NULL ? rule_ttl(ttl, broken) : NULL;
}

enum decision messages_send(struct call *call, struct response *response,
                            struct statement *statement)
{
    struct draft draft = {.message = body_string(call->request, call->body, "message")};
    struct broken broken = {0};

    rule_long_message(draft.message, &broken);
    draft.ttl = take_ttl(call, &broken);
    const struct receiver receiver = take_receiver(call, &broken);
    draft.handle = author_handle(call, "user_handle", "user_sender_handle", &broken);
    draft.uuid = author_row_uuid(call, draft.handle, "message", &broken);
    if (broken.count > 0) {
        return endpoint_refuse(call, &broken, response);
    }
    return receiver.group != NULL ? append_message(call, &draft, receiver.group, statement)
                                  : begin_conversation(call, &draft, receiver.handle, statement);
}

const struct statement_def MESSAGES_DELETE = {
    .name = "messages/delete",
    .parameters = {"group", "uuid", "sub", "handle", "not_after"},
    .lane = LANE_WRITE,
};

enum decision messages_delete(struct call *call, struct response *response,
                              struct statement *statement)
{
    if (!author_begin(statement, &MESSAGES_DELETE, call, response)) {
        return DECISION_RESPOND;
    }
    statement_bind(statement, "group", call->request->capture[0]);
    statement_bind(statement, "uuid", call->request->capture[1]);
    return DECISION_ASK;
}

const struct statement_def MESSAGES_READ = {
    .name = "messages/read",
    .parameters = {"group", "until_us", "sub", "handle", "not_after"},
    .lane = LANE_WRITE,
};

enum decision messages_read(struct call *call, struct response *response,
                            struct statement *statement)
{
    struct broken broken = {0};
    const char *until_us = author_until(call, &broken);
    const char *handle = author_handle(call, "user_handle", "handle", &broken);

    if (broken.count > 0) {
        return endpoint_refuse(call, &broken, response);
    }
    *statement = statement_of(&MESSAGES_READ);
    author_bind(statement, call, handle);
    statement_bind(statement, "group", call->request->capture[0]);
    statement_bind(statement, "until_us", until_us);
    return DECISION_ASK;
}
