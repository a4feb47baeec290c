/* Cognito access tokens: JSON Web Tokens (RFC 7519) signed with RS256, and nothing else. */
#ifndef CRUDDUR_IDENTITY_TOKEN_H
#define CRUDDUR_IDENTITY_TOKEN_H

#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"

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

/* What a token is worth. The names are labels of a metric and stand in the log: a fixed set. */
enum token_verdict {
    TOKEN_GOOD,
    TOKEN_BAD_CLAIM,       /* exp, nbf or sub is missing or of the wrong form */
    TOKEN_BAD_SIGNATURE,   /* not by the key that it names */
    TOKEN_EXPIRED,         /* exp */
    TOKEN_MALFORMED,       /* no JSON Web Token, or one without a key's name, or too long */
    TOKEN_NO_ISSUER,       /* no issuer is configured; not of token_verify */
    TOKEN_NOT_BEARER,      /* another form of the Authorization header; not of token_verify */
    TOKEN_NOT_YET_VALID,   /* nbf */
    TOKEN_UNKNOWN_KEY,     /* well-formed, but signed with a key that is not (yet) among keys */
    TOKEN_WRONG_ALGORITHM, /* another algorithm than RS256, or an extension of it */
    TOKEN_WRONG_AUDIENCE,  /* client_id */
    TOKEN_WRONG_ISSUER,    /* iss */
    TOKEN_WRONG_USE,       /* token_use: no access token */
    TOKEN_VERDICTS
};

/* "expired" …; "good". Static text. */
const char *token_verdict_name(enum token_verdict verdict);

/* Verifies a token at now_s (seconds since 1970). The signature is checked before anything of
 * the payload is looked at, the algorithm before any key; of several faults the first is the
 * verdict. On TOKEN_GOOD *subject is the claim sub, in arena memory. */
MUST_CHECK enum token_verdict token_verify(const char *token, const struct keys *keys,
                                           const struct token_rules *rules, int64_t now_s,
                                           struct arena *arena, const char **subject);

/* The claim sub of a token that was refused: whatever its sender wrote there. NULL if it has none.
 * In arena memory. */
const char *token_claimed_subject(const char *token, struct arena *arena);

#endif
