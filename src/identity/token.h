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

/* The result of verifying a token. The set of names is fixed, because they are labels of a metric
 * and stand in the log. */
enum token_verdict {
    TOKEN_GOOD,
    TOKEN_BAD_CLAIM,       /* exp, nbf or sub is missing or of the wrong form */
    TOKEN_BAD_SIGNATURE,   /* not made with the key that the token names */
    TOKEN_EXPIRED,         /* exp */
    TOKEN_MALFORMED,       /* no JSON Web Token, or without a usable kid, or too long */
    TOKEN_NO_ISSUER,       /* no issuer is configured; not from token_verify */
    TOKEN_NOT_BEARER,      /* another form of the Authorization header; not from token_verify */
    TOKEN_NOT_YET_VALID,   /* nbf */
    TOKEN_UNKNOWN_KEY,     /* well-formed, but signed with a key that is not (yet) among keys */
    TOKEN_WRONG_ALGORITHM, /* an algorithm other than RS256, or a header with extensions */
    TOKEN_WRONG_AUDIENCE,  /* client_id */
    TOKEN_WRONG_ISSUER,    /* iss */
    TOKEN_WRONG_USE,       /* token_use: no access token */
    TOKEN_VERDICTS
};

/* "expired" …; "good". Static text. */
const char *token_verdict_name(enum token_verdict verdict);

/* Verifies a token at now_s (seconds since 1970). The algorithm is checked before a key is looked
 * up, and the signature before any part of the payload is read. The first fault in this order is
 * the verdict. On TOKEN_GOOD *subject is the claim sub, in arena memory. */
MUST_CHECK enum token_verdict token_verify(const char *token, const struct keys *keys,
                                           const struct token_rules *rules, int64_t now_s,
                                           struct arena *arena, const char **subject);

/* The claim sub of a token that was refused: whatever its sender wrote there. NULL if it has none.
 * In arena memory. */
const char *token_claimed_subject(const char *token, struct arena *arena);

#endif
