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
    CALLER_ANONYMOUS, /* said nothing about itself */
    CALLER_REFUSED,   /* sent an Authorization header that proves nothing */
    CALLER_PENDING,   /* its token's key isn't here yet, but was just asked for */
    CALLER_UNDECIDED, /* there are no keys to judge its token by */
    CALLER_BY_HANDLE, /* acts as whatever handle its request names */
    CALLER_BY_TOKEN   /* is the subject of its token */
};

struct caller {
    enum caller_kind kind;
    const char *subject;        /* with CALLER_BY_TOKEN, in arena memory */
    enum token_verdict refusal; /* with CALLER_REFUSED: why */
};

/* The address of a client that came over no network, as nginx writes it for its unix sockets. */
#define LOCAL_PEER "unix:"

/* authorization is the header, NULL without one; remote_addr the client's address as the front
 * server gives it; NULL, if it gives none, counts as another host's. CALLER_PENDING only if the
 * caller may wait. */
MUST_CHECK struct caller caller_identify(const struct identity *identity, const char *authorization,
                                         const char *remote_addr, bool may_wait,
                                         struct arena *arena);

/* The subject that the token of a refused Authorization header claims, without proof, or NULL.
 * In arena memory. */
const char *caller_claimed_subject(const char *authorization, struct arena *arena);

#endif
