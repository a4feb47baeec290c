/* The hook has no user. Its caller is a program that signs each request with a shared secret, and
 * the signature was checked before the handler runs. The event goes to the database as it came:
 * the function confirm_user reads it, and PostgreSQL's privileges allow the hook's login nothing
 * but that function. */
#include "api/hooks.h"

#include <string.h>

#include "base/arena.h"
#include "base/ids.h"
#include "http/body.h"
#include "identity/signature.h"

const struct statement_def HOOKS_CONFIRM = {
    .name = "hooks/confirm",
    .parameters = {"uuid", "event", "pool", "signed_at", "not_after"},
    .lane = LANE_HOOK,
};

/* The answer to a trigger must be its event: an event of another kind is sent back unread. */
enum decision hooks_post_confirmation(struct call *call, struct response *response,
                                      struct statement *statement)
{
    const struct request *request = call->request;
    const char *trigger = body_string(request, call->body, "triggerSource");

    /* A new password, say, is confirmed too. */
    if (trigger != NULL && strcmp(trigger, "PostConfirmation_ConfirmSignUp") != 0) {
        response_json(response, request->body, request->body_length);
        return DECISION_RESPOND;
    }
    char *uuid = arena_alloc(request->arena, UUID_TEXT_SIZE);
    uuid_make(uuid);
    *statement = statement_of(&HOOKS_CONFIRM);
    statement_bind(statement, "uuid", uuid);
    statement_bind(statement, "event", request->body);
    statement_bind(statement, "pool", call->user_pool);
    statement_bind(
        statement, "signed_at",
        arena_printf(request->arena, "%lld", (long long)signature_time(request->signature)));
    return DECISION_ASK;
}
