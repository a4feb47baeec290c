/* The caller is known in one of two ways. With a token it is the token's subject, and a handle in
 * the body has to be the same user's (the statement compares them). In handle mode, which is for
 * development, it is the handle that the request names. A statement gets both, sub and handle. It
 * looks the user up by sub, or by handle if sub is null.
 *
 * A row that a request creates gets its UUID here and not from the database, so that the statement
 * can be sent again after a lost session: the second run finds the row of the first. */
#include "api/author.h"

#include <ctype.h>
#include <string.h>

#include "api/status.h"
#include "base/arena.h"
#include "base/ids.h"
#include "http/body.h"

enum { IDEMPOTENCY_KEY_MAX = 255 };

const char *author_handle(const struct call *call, const char *field, const char *other_field,
                          struct broken *broken)
{
    const char *handle = NULL, *other = NULL;

    if (call->body != NULL && field != NULL &&
        (!body_take(call->request, call->body, field, &handle) ||
         !body_take(call->request, call->body, other_field, &other))) {
        broken_add(broken, STATUS_USER_HANDLE_BLANK);
        return NULL;
    }
    handle = handle == NULL ? other : handle;
    if (call->caller->kind == CALLER_BY_HANDLE) {
        handle = handle == NULL ? call->default_handle : handle;
        rule_user_handle(handle, broken);
    }
    return handle;
}

void author_bind(struct statement *statement, const struct call *call, const char *handle)
{
    statement_bind(statement, "sub", call->caller->subject);
    statement_bind(statement, "handle", handle);
}

void author_bind_most(struct statement *statement, const struct call *call, int most)
{
    statement_bind(statement, "most", arena_printf(call->request->arena, "%d", most));
}

bool author_begin(struct statement *statement, const struct statement_def *def,
                  const struct call *call, struct response *response)
{
    struct broken broken = {0};
    const char *handle = author_handle(call, NULL, NULL, &broken);

    *statement = statement_of(def);
    author_bind(statement, call, handle);
    if (broken.count > 0) {
        endpoint_refuse(call, &broken, response);
    }
    return broken.count == 0;
}

const char *author_until(const struct call *call, struct broken *broken)
{
    const char *until;

    if (!body_take(call->request, call->body, "until", &until)) {
        broken_add(broken, STATUS_UNTIL_INVALID);
        return NULL;
    }
    return rule_time(until, call->request->arena, broken);
}

/* An unknown user is no error here; the statement then answers as for an anonymous caller. */
void author_bind_viewer(struct statement *statement, const struct call *call)
{
    statement_bind(statement, "sub", call->caller->subject);
    statement_bind(statement, "viewer",
                   call->caller->kind == CALLER_BY_HANDLE ? call->default_handle : NULL);
}

/* Visible ASCII without blanks: the characters of RFC 9110's token, and separators. */
static bool key_is_valid(const char *key)
{
    size_t length = strlen(key);

    for (const char *c = key; *c != '\0'; c++) {
        if (!isgraph((unsigned char)*c)) {
            return false;
        }
    }
    return length >= 1 && length <= IDEMPOTENCY_KEY_MAX;
}

static const char *lower_case(struct arena *arena, const char *text)
{
    char *lower = arena_copy(arena, text, strlen(text));

    for (char *c = lower; *c != '\0'; c++) {
        *c = (char)tolower((unsigned char)*c);
    }
    return lower;
}

/* The key is bound to its author and to the kind of row: the same key of another user, or for
 * another kind, gives another row. */
const char *author_row_uuid(const struct call *call, const char *handle, const char *kind,
                            struct broken *broken)
{
    struct arena *arena = call->request->arena;
    const char *key = call->request->idempotency_key;
    const char *subject = call->caller->subject;
    char *uuid = arena_alloc(arena, UUID_TEXT_SIZE);

    if (key == NULL || (subject == NULL && handle == NULL)) {
        uuid_make(uuid);
    } else if (!key_is_valid(key)) {
        broken_add(broken, STATUS_IDEMPOTENCY_KEY_INVALID);
    } else {
        uuid_derive(arena_printf(arena, "%s\n%s%s\n%s", kind, subject != NULL ? "sub " : "handle ",
                                 subject != NULL ? subject : lower_case(arena, handle), key),
                    uuid);
    }
    return uuid;
}
