/* Access tokens of one issuer (RFC 7519, RS256). The order of the checks is a rule: nothing of the
 * payload is used before the signature is verified, and the header is read only for its algorithm,
 * its kid, and extensions, all of which are refused. The algorithm is fixed; a token that names
 * another one, including none, is refused before a key is looked up. */
#include "identity/token.h"

#include <stdbool.h>
#include <string.h>

#include "base/base64url.h"
#include "base/json.h"
#include "base/utf8.h"
#include "identity/keys.h"

enum {
    KID_MAX = 256,    /* bytes */
    SUBJECT_MAX = 128 /* code points, as in users_cognito_user_id_check in sql/schema.sql */
};

/* The first second after the year 9999: larger numbers are no dates. */
static const int64_t DATE_END = INT64_C(253402300800);

static const char *const NAMES[TOKEN_VERDICTS] = {
    [TOKEN_GOOD] = "good",
    [TOKEN_BAD_CLAIM] = "bad_claim",
    [TOKEN_BAD_SIGNATURE] = "bad_signature",
    [TOKEN_EXPIRED] = "expired",
    [TOKEN_MALFORMED] = "malformed",
    [TOKEN_NO_ISSUER] = "no_issuer",
    [TOKEN_NOT_BEARER] = "not_bearer",
    [TOKEN_NOT_YET_VALID] = "not_yet_valid",
    [TOKEN_UNKNOWN_KEY] = "unknown_key",
    [TOKEN_WRONG_ALGORITHM] = "wrong_algorithm",
    [TOKEN_WRONG_AUDIENCE] = "wrong_audience",
    [TOKEN_WRONG_ISSUER] = "wrong_issuer",
    [TOKEN_WRONG_USE] = "wrong_use",
};

/* A token's parts, still encoded. */
struct parts {
    const char *header, *payload, *signature;
    size_t header_length, payload_length, signature_length;
    size_t signed_length; /* header, dot and payload */
};

static bool split_token(const char *token, struct parts *parts)
{
    size_t length = strnlen(token, TOKEN_LENGTH_MAX + 1);
    const char *first = memchr(token, '.', length);
    const char *second =
        first != NULL ? memchr(first + 1, '.', length - (size_t)(first + 1 - token)) : NULL;

    if (length > TOKEN_LENGTH_MAX || second == NULL || strchr(second + 1, '.') != NULL) {
        return false;
    }
    *parts = (struct parts){
        .header = token,
        .header_length = (size_t)(first - token),
        .payload = first + 1,
        .payload_length = (size_t)(second - first - 1),
        .signature = second + 1,
        .signature_length = strlen(second + 1),
        .signed_length = (size_t)(second - token),
    };
    return true;
}

/* A part as a JSON object; NULL: it is not one. */
static struct json *open_part(struct arena *arena, const char *part, size_t length)
{
    char *text = arena_alloc(arena, BASE64URL_DECODED_MAX(length));

    return base64url_decode(part, length, (unsigned char *)text, &length) ? json_parse(text, length)
                                                                          : NULL;
}

/* Whether the object has this member, with exactly this string. */
static bool says(const struct json *object, const char *name, const char *wanted)
{
    const char *text;

    return json_member(object, name, &text) == JSON_STRING && strcmp(text, wanted) == 0;
}

/* Whether the member is absent. A null is not: it would be a value that we do not understand. */
static bool lacks(const struct json *object, const char *name)
{
    const char *text;

    return json_member(object, name, &text) == JSON_ABSENT;
}

/* Whether the header is one that a token of the issuer has: RS256, no extensions to understand,
 * a kid. Keys that the header itself brings (jku, jwk, x5u, x5c) are never looked at. */
static enum token_verdict check_header(const struct json *header, struct arena *arena,
                                       const char **kid)
{
    const char *text;

    if (!says(header, "alg", "RS256") || !lacks(header, "crit") || !lacks(header, "b64") ||
        !lacks(header, "zip") || !lacks(header, "enc")) {
        return TOKEN_WRONG_ALGORITHM;
    }
    if (json_member(header, "kid", &text) != JSON_STRING || *text == '\0' ||
        strlen(text) > KID_MAX) {
        return TOKEN_MALFORMED;
    }
    *kid = arena_copy(arena, text, strlen(text));
    return TOKEN_GOOD;
}

static enum token_verdict check_token_signature(const struct parts *parts, const struct keys *keys,
                                                struct arena *arena)
{
    unsigned char *signature = arena_alloc(arena, BASE64URL_DECODED_MAX(parts->signature_length));
    struct json *header = open_part(arena, parts->header, parts->header_length);
    const char *kid;
    size_t length;
    enum token_verdict verdict =
        header != NULL ? check_header(header, arena, &kid) : TOKEN_MALFORMED;

    json_free(header);
    if (verdict != TOKEN_GOOD) {
        return verdict;
    }
    if (!base64url_decode(parts->signature, parts->signature_length, signature, &length)) {
        return TOKEN_MALFORMED;
    }
    if (!keys_have(keys, kid)) {
        return TOKEN_UNKNOWN_KEY;
    }
    return keys_verify(keys, kid, parts->header, parts->signed_length, signature, length)
               ? TOKEN_GOOD
               : TOKEN_BAD_SIGNATURE;
}

/* NumericDate of RFC 7519: seconds since 1970. Fractions are not used by the issuers that we
 * know. */
static bool is_date(const struct json *payload, const char *name, int64_t *date)
{
    return json_integer(payload, name, date) && *date > 0 && *date < DATE_END;
}

static enum token_verdict check_times(const struct json *payload, int64_t now_s)
{
    int64_t expiry, start;
    bool has_start = !lacks(payload, "nbf");

    if (!is_date(payload, "exp", &expiry) || (has_start && !is_date(payload, "nbf", &start))) {
        return TOKEN_BAD_CLAIM;
    }
    if (now_s >= expiry + TOKEN_LEEWAY_S) {
        return TOKEN_EXPIRED;
    }
    return has_start && now_s < start - TOKEN_LEEWAY_S ? TOKEN_NOT_YET_VALID : TOKEN_GOOD;
}

static bool take_subject(const struct json *payload, struct arena *arena, const char **subject)
{
    const char *text;

    if (json_member(payload, "sub", &text) != JSON_STRING || *text == '\0' ||
        utf8_code_points(text) > SUBJECT_MAX) {
        return false;
    }
    *subject = arena_copy(arena, text, strlen(text));
    return true;
}

static enum token_verdict check_claims(const struct json *payload, const struct token_rules *rules,
                                       int64_t now_s, struct arena *arena, const char **subject)
{
    if (!says(payload, "iss", rules->issuer)) {
        return TOKEN_WRONG_ISSUER;
    }
    if (!says(payload, "token_use", "access")) {
        return TOKEN_WRONG_USE;
    }
    if (!says(payload, "client_id", rules->client_id)) {
        return TOKEN_WRONG_AUDIENCE;
    }
    enum token_verdict verdict = check_times(payload, now_s);
    if (verdict == TOKEN_GOOD && !take_subject(payload, arena, subject)) {
        verdict = TOKEN_BAD_CLAIM;
    }
    return verdict;
}

const char *token_verdict_name(enum token_verdict verdict)
{
    return NAMES[verdict];
}

enum token_verdict token_verify(const char *token, const struct keys *keys,
                                const struct token_rules *rules, int64_t now_s, struct arena *arena,
                                const char **subject)
{
    struct parts parts;

    if (!split_token(token, &parts)) {
        return TOKEN_MALFORMED;
    }
    enum token_verdict verdict = check_token_signature(&parts, keys, arena);
    if (verdict != TOKEN_GOOD) {
        return verdict;
    }
    struct json *payload = open_part(arena, parts.payload, parts.payload_length);
    verdict =
        payload != NULL ? check_claims(payload, rules, now_s, arena, subject) : TOKEN_MALFORMED;
    json_free(payload);
    return verdict;
}

const char *token_claimed_subject(const char *token, struct arena *arena)
{
    const char *subject = NULL;
    struct parts parts;

    if (!split_token(token, &parts)) {
        return NULL;
    }
    struct json *payload = open_part(arena, parts.payload, parts.payload_length);
    if (payload == NULL || !take_subject(payload, arena, &subject)) {
        subject = NULL;
    }
    json_free(payload);
    return subject;
}
