#include "identity/token.h"

#include <stdbool.h>
#include <string.h>

#include "base/base64url.h"
#include "base/json.h"
#include "identity/keys.h"

enum { KID_MAX = 256, SUBJECT_MAX = 128 };

/* The last second of the year 9999: larger numbers are no dates. */
static const int64_t DATE_END = INT64_C(253402300800);

/* A token's parts, still encoded. */
struct parts {
    const char *header, *payload, *signature;
    size_t header_length, payload_length, signature_length;
    size_t signed_length; /* header, dot and payload */
};

static bool split(const char *token, struct parts *parts)
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

/* A part as a JSON object; NULL when it is none. */
static struct json *open_part(struct arena *arena, const char *part, size_t length)
{
    char *text = arena_alloc(arena, BASE64URL_DECODED_MAX(length));

    return base64url_decode(part, length, (unsigned char *)text, &length) ? json_parse(text, length)
                                                                          : NULL;
}

static bool says(const struct json *object, const char *name, const char *wanted)
{
    const char *text;

    return json_member(object, name, &text) == JSON_STRING && strcmp(text, wanted) == 0;
}

static bool lacks(const struct json *object, const char *name)
{
    const char *text;

    return json_member(object, name, &text) == JSON_ABSENT;
}

/* The header of a token that can be ours: RS256, no extensions to understand, a kid. Keys that the
 * header itself brings (jku, jwk, x5u, x5c) are never looked at. */
static bool check_header(const struct json *header, struct arena *arena, const char **kid)
{
    const char *text;

    if (!says(header, "alg", "RS256") || !lacks(header, "crit") || !lacks(header, "b64") ||
        !lacks(header, "zip") || !lacks(header, "enc") ||
        json_member(header, "kid", &text) != JSON_STRING || *text == '\0' ||
        strlen(text) > KID_MAX) {
        return false;
    }
    *kid = arena_copy(arena, text, strlen(text));
    return true;
}

static enum token_verdict check_signature(const struct parts *parts, const struct keys *keys,
                                          struct arena *arena)
{
    unsigned char *signature = arena_alloc(arena, BASE64URL_DECODED_MAX(parts->signature_length));
    struct json *header = open_part(arena, parts->header, parts->header_length);
    enum token_verdict verdict = TOKEN_REFUSED;
    const char *kid;
    size_t length;

    if (header != NULL && check_header(header, arena, &kid) &&
        base64url_decode(parts->signature, parts->signature_length, signature, &length)) {
        if (!keys_have(keys, kid)) {
            verdict = TOKEN_UNKNOWN_KEY;
        } else if (keys_verify(keys, kid, parts->header, parts->signed_length, signature, length)) {
            verdict = TOKEN_GOOD;
        }
    }
    json_free(header);
    return verdict;
}

static bool is_date(const struct json *payload, const char *name, int64_t *date)
{
    return json_integer(payload, name, date) && *date > 0 && *date < DATE_END;
}

static bool is_current(const struct json *payload, int64_t now_s)
{
    int64_t expiry, start;

    if (!is_date(payload, "exp", &expiry) || now_s >= expiry + TOKEN_LEEWAY_S) {
        return false;
    }
    return lacks(payload, "nbf") ||
           (is_date(payload, "nbf", &start) && now_s >= start - TOKEN_LEEWAY_S);
}

static enum token_verdict check_claims(const struct json *payload, const struct token_rules *rules,
                                       int64_t now_s, struct arena *arena, const char **subject)
{
    const char *text;

    if (!says(payload, "iss", rules->issuer) || !says(payload, "token_use", "access") ||
        !says(payload, "client_id", rules->client_id) || !is_current(payload, now_s) ||
        json_member(payload, "sub", &text) != JSON_STRING || *text == '\0' ||
        strlen(text) > SUBJECT_MAX) {
        return TOKEN_REFUSED;
    }
    *subject = arena_copy(arena, text, strlen(text));
    return TOKEN_GOOD;
}

enum token_verdict token_verify(const char *token, const struct keys *keys,
                                const struct token_rules *rules, int64_t now_s, struct arena *arena,
                                const char **subject)
{
    struct parts parts;

    if (!split(token, &parts)) {
        return TOKEN_REFUSED;
    }
    enum token_verdict verdict = check_signature(&parts, keys, arena);
    if (verdict != TOKEN_GOOD) {
        return verdict;
    }
    struct json *payload = open_part(arena, parts.payload, parts.payload_length);
    verdict = payload != NULL ? check_claims(payload, rules, now_s, arena, subject) : TOKEN_REFUSED;
    json_free(payload);
    return verdict;
}
