/* Users as others see them. No handler returns an e-mail address, and the login of the service has
 * no right to read one. The token's subject is in a user's page, as cognito_user_uuid. A user's page has a second, slower
 * statement for ?with=, because the usual page needs neither replies nor reposts. */
#include "api/users.h"

#include <stdbool.h>
#include <string.h>

#include "api/author.h"
#include "api/rules.h"
#include "api/status.h"
#include "http/body.h"
#include "http/query.h"

const struct statement_def USERS_SHORT = {
    .name = "users/short",
    .shape = SHAPE_OBJECT,
    .parameters = {"sub", "viewer", "handle"},
    .on_replica = true,
};

enum decision users_short(struct call *call, struct response *response, struct statement *statement)
{
    (void)response;
    *statement = statement_of(&USERS_SHORT);
    author_bind_viewer(statement, call);
    statement_bind(statement, "handle", call->request->capture[0]);
    return DECISION_ASK;
}

const struct statement_def USERS_SUGGESTED = {
    .name = "users/suggested",
    .shape = SHAPE_ARRAY,
    .parameters = {"sub", "viewer"},
    .on_replica = true,
};

enum decision users_suggested(struct call *call, struct response *response,
                              struct statement *statement)
{
    (void)response;
    *statement = statement_of(&USERS_SUGGESTED);
    author_bind_viewer(statement, call);
    return DECISION_ASK;
}

/* What a user's page contains besides the user's posts. */
struct extras {
    bool replies;
    bool reposts;
};

/* Reads ?with=, a comma-separated list of "replies" and "reposts". False: the list has another
 * word. */
static bool take_extras(struct call *call, struct extras *extras)
{
    const char *with;

    *extras = (struct extras){0};
    if (query_value(call->request, "with", &with) != STATUS_OK) {
        return false;
    }
    while (with != NULL && *with != '\0') {
        size_t length = strcspn(with, ",");

        if (length == 7 && memcmp(with, "replies", length) == 0) {
            extras->replies = true;
        } else if (length == 7 && memcmp(with, "reposts", length) == 0) {
            extras->reposts = true;
        } else {
            return false;
        }
        with += length + (with[length] == ',');
    }
    return true;
}

static const char *filter_of(const struct extras *extras)
{
    if (extras->replies) {
        return extras->reposts ? "&with=replies,reposts" : "&with=replies";
    }
    return extras->reposts ? "&with=reposts" : NULL;
}

const struct statement_def USERS_FEED = {
    .name = "users/feed",
    .parameters = {"handle", "week4", "sub", "viewer", "limit", "after_us", "after_uuid"},
    .on_replica = true,
};

const struct statement_def USERS_TIMELINE = {
    .name = "users/timeline",
    .parameters = {"handle", "week4", "replies", "reposts", "sub", "viewer", "limit", "after_us",
                   "after_uuid"},
    .on_replica = true,
};

/* The filter goes into the page's Link, so the next page is of the same kind. */
enum decision users_feed(struct call *call, struct response *response, struct statement *statement)
{
    struct broken broken = {0};
    struct extras extras;

    if (!take_extras(call, &extras)) {
        broken_add(&broken, STATUS_WITH_INVALID);
        return endpoint_refuse(call, &broken, response);
    }
    call->page.filter = filter_of(&extras);
    if (call->page.filter == NULL) {
        *statement = statement_of(&USERS_FEED);
    } else {
        *statement = statement_of(&USERS_TIMELINE);
        statement_bind(statement, "replies", extras.replies ? "true" : "false");
        statement_bind(statement, "reposts", extras.reposts ? "true" : "false");
    }
    author_bind_viewer(statement, call);
    statement_bind(statement, "handle", call->request->capture[0]);
    statement_bind(statement, "week4", call->wants_week4 ? "true" : "false");
    endpoint_bind_page(statement, &call->page);
    return DECISION_ASK;
}

const struct statement_def USERS_UPDATE = {
    .name = "users/update",
    .parameters = {"sub", "handle", "display_name", "bio", "not_after"},
    .lane = LANE_WRITE,
};

/* bio is optional: without it, or with null, it stays as it is. */
enum decision users_update(struct call *call, struct response *response,
                           struct statement *statement)
{
    const char *display_name = body_string(call->request, call->body, "display_name");
    const char *bio;
    struct broken broken = {0};

    rule_display_name(display_name, &broken);
    if (body_take(call->request, call->body, "bio", &bio)) {
        rule_bio(bio, &broken);
    } else {
        broken_add(&broken, STATUS_BIO_INVALID);
    }
    const char *handle = author_handle(call, "user_handle", "handle", &broken);
    if (broken.count > 0) {
        return endpoint_refuse(call, &broken, response);
    }
    *statement = statement_of(&USERS_UPDATE);
    author_bind(statement, call, handle);
    statement_bind(statement, "display_name", display_name);
    statement_bind(statement, "bio", bio);
    return DECISION_ASK;
}

const struct statement_def USERS_DELETE = {
    .name = "users/delete",
    .parameters = {"sub", "handle", "not_after"},
    .lane = LANE_WRITE,
};

/* The caller's own handle from the body, which confirms that the account is to be deleted. The
 * default handle does not replace it. */
static const char *confirming_handle(const struct call *call, struct broken *broken)
{
    const char *handle = NULL, *other = NULL;

    if (!body_take(call->request, call->body, "user_handle", &handle) ||
        !body_take(call->request, call->body, "handle", &other)) {
        handle = other = NULL;
    }
    handle = handle == NULL ? other : handle;
    rule_user_handle(handle, broken);
    return handle;
}

enum decision users_delete(struct call *call, struct response *response,
                           struct statement *statement)
{
    struct broken broken = {0};
    const char *handle = confirming_handle(call, &broken);

    if (broken.count > 0) {
        return endpoint_refuse(call, &broken, response);
    }
    *statement = statement_of(&USERS_DELETE);
    author_bind(statement, call, handle);
    return DECISION_ASK;
}
