/* The hook has no user. Its caller is a program that signs each request with a shared secret, and
 * the signature was checked before the handler runs. */
#include "api/hooks.h"

#include "base/arena.h"
#include "base/ids.h"
#include "confirmation/confirmation.h"
#include "identity/signature.h"

enum decision hooks_post_confirmation(struct call *call, struct response *response,
                                      struct statement *statement)
{
    const struct request *request = call->request;

    if (!confirmation_is_for_database(call->body)) {
        response_json(response, request->body, request->body_length);
        return DECISION_RESPOND;
    }
    char *uuid = arena_alloc(request->arena, UUID_TEXT_SIZE);
    uuid_make(uuid);
    const char *signed_at =
        arena_printf(request->arena, "%lld", (long long)signature_time(request->signature));
    *statement = confirmation_statement(uuid, request->body, call->user_pool, signed_at);
    return DECISION_ASK;
}
