/* Cognito access tokens: JSON Web Tokens (RFC 7519) signed with RS256, and nothing else. */
#ifndef CRUDDUR_IDENTITY_TOKEN_H
#define CRUDDUR_IDENTITY_TOKEN_H

#include <stdint.h>

#include "base/arena.h"

struct keys;

enum {
    TOKEN_LENGTH_MAX = 4096, /* bytes */
    TOKEN_LEEWAY_S = 30      /* for clocks that differ */
};

/* What a token must say. */
struct token_rules {
    const char *issuer;    /* claim iss */
    const char *client_id; /* claim client_id: Cognito's access tokens have no aud */
};

enum token_verdict {
    TOKEN_GOOD,
    TOKEN_REFUSED,
    TOKEN_UNKNOWN_KEY /* well-formed, but signed with a key that is not (yet) among keys */
};

/* Verifies a token at now_s (seconds since 1970). The signature is checked before anything of the
 * payload is looked at, the algorithm before any key. On TOKEN_GOOD *subject is the claim sub, in
 * arena memory. */
enum token_verdict token_verify(const char *token, const struct keys *keys,
                                const struct token_rules *rules, int64_t now_s, struct arena *arena,
                                const char **subject);

#endif
