/* The identity of a request's caller. */
#ifndef CRUDDUR_IDENTITY_CALLER_H
#define CRUDDUR_IDENTITY_CALLER_H

#include <stdbool.h>

#include "base/error.h"
#include "identity/keyring.h"
#include "identity/token.h"

enum identity_mode {
    IDENTITY_TOKEN, /* the token says which user the caller is */
    IDENTITY_HANDLE /* for development, on loopback: without a token the request names the user */
};

struct identity {
    enum identity_mode mode;
    struct keyring *keyring; /* NULL: there is no issuer, so no token is good */
    struct token_rules rules;
};

enum caller_kind {
    CALLER_ANONYMOUS, /* sent no Authorization header */
    CALLER_REFUSED,   /* sent an Authorization header that is not accepted */
    CALLER_PENDING,   /* its token's key is not known yet, and a fetch is pending */
    CALLER_UNDECIDED, /* there are no keys to verify its token with */
    CALLER_BY_HANDLE, /* acts as the user whose handle the request has */
    CALLER_BY_TOKEN   /* is the subject of its token */
};

struct caller {
    enum caller_kind kind;
    const char *subject;        /* with CALLER_BY_TOKEN, in arena memory */
    enum token_verdict refusal; /* with CALLER_REFUSED: why */
};

/* The address that nginx gives for a client of its unix sockets, which came over no network. */
#define LOCAL_PEER "unix:"

/* authorization is the header; NULL: there is none. remote_addr is the client's address as the
 * front server gives it; NULL: it gives none, which counts as another host. CALLER_PENDING only if
 * may_wait. */
MUST_CHECK struct caller caller_identify(const struct identity *identity, const char *authorization,
                                         const char *remote_addr, bool may_wait,
                                         struct arena *arena);

/* The subject that the token of a refused Authorization header claims, without proof, or NULL.
 * In arena memory. */
const char *caller_claimed_subject(const char *authorization, struct arena *arena);

#endif
