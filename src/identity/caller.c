/* The Authorization header alone decides who the caller is. In handle mode a request without that
 * header names its user itself, if it comes from this host: that mode is for development, and
 * listen.c refuses to open it to the network. A token whose key is unknown may be signed with a new
 * key, so the request waits (CALLER_PENDING) until the keys have been fetched once more. */
#include "identity/caller.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>
#include <time.h>

/* 127.0.0.0/8, ::1, or no network at all. */
static bool is_local(const char *remote_addr)
{
    return remote_addr != NULL &&
           (strncmp(remote_addr, "127.", 4) == 0 || strcmp(remote_addr, "::1") == 0 ||
            strcmp(remote_addr, LOCAL_PEER) == 0);
}

/* The token of "Bearer TOKEN" (RFC 6750 section 2.1); NULL for any other form. */
static const char *bearer_token(const char *authorization)
{
    static const char scheme[] = "Bearer ";

    if (strncasecmp(authorization, scheme, sizeof scheme - 1) != 0) {
        return NULL;
    }
    authorization += sizeof scheme - 1;
    authorization += strspn(authorization, " ");
    return *authorization != '\0' && strpbrk(authorization, " \t,") == NULL ? authorization : NULL;
}

/* If the token's key is unknown, the request waits for a fetch (CALLER_PENDING) if one is pending
 * and the request may wait. Otherwise it is CALLER_UNDECIDED if there are no keys at all, else
 * refused. */
static struct caller by_token(const struct identity *identity, const char *token, bool may_wait,
                              struct arena *arena)
{
    int64_t now = (int64_t)time(NULL);
    const struct keys *keys = keyring_current(identity->keyring, now);
    struct caller caller = {.kind = CALLER_REFUSED};

    caller.refusal = token_verify(token, keys, &identity->rules, now, arena, &caller.subject);
    if (caller.refusal == TOKEN_GOOD) {
        caller.kind = CALLER_BY_TOKEN;
    } else if (caller.refusal == TOKEN_UNKNOWN_KEY) {
        if (keyring_ask(identity->keyring) && may_wait) {
            caller.kind = CALLER_PENDING;
        } else if (keys == NULL) {
            caller.kind = CALLER_UNDECIDED;
        }
    }
    return caller;
}

struct caller caller_identify(const struct identity *identity, const char *authorization,
                              const char *remote_addr, bool may_wait, struct arena *arena)
{
    if (authorization == NULL) {
        return (struct caller){.kind = identity->mode == IDENTITY_HANDLE && is_local(remote_addr)
                                           ? CALLER_BY_HANDLE
                                           : CALLER_ANONYMOUS};
    }
    const char *token = bearer_token(authorization);
    if (token == NULL || identity->keyring == NULL) {
        return (struct caller){.kind = CALLER_REFUSED,
                               .refusal = token == NULL ? TOKEN_NOT_BEARER : TOKEN_NO_ISSUER};
    }
    return by_token(identity, token, may_wait, arena);
}

/* Unverified: only for counting and queueing, where a wrong claim harms only the client that makes
 * it. */
const char *caller_claimed_subject(const char *authorization, struct arena *arena)
{
    const char *token = bearer_token(authorization);

    return token != NULL ? token_claimed_subject(token, arena) : NULL;
}
