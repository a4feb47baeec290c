/* Tokens. The input itself is never a good token. If the input's two lines are header and payload
 * under the issuer's signature, a good token has a subject within its bounds. */
#include "identity/token.h"

#include <openssl/evp.h>

#include "base/utf8.h"
#include "fuzz.h"
#include "identity/caller.h"
#include "identity/keys.h"
#include "identity/pseudonym.h"
#include "jose.h"

static const struct token_rules RULES = {.issuer = "i", .client_id = "c"};

static EVP_PKEY *key;
static struct keys *keys;

static void set_up(void)
{
    struct arena arena = {0};

    key = jose_rsa_key(KEY_BITS_MIN);
    const char *set = arena_printf(&arena, "{\"keys\":[%s]}", jose_jwk(&arena, "k", key, ""));
    keys = keys_parse(set, strlen(set));
    MUST(keys != NULL);
    arena_release(&arena);
}

static void must_be_subject(const char *subject)
{
    MUST(subject != NULL && *subject != '\0');
    MUST(utf8_valid(subject, strlen(subject)) && utf8_code_points(subject) <= 128);
}

static enum token_verdict look_at(const char *token, bool may_be_good, struct arena *arena)
{
    const char *subject = NULL;
    enum token_verdict verdict = token_verify(token, keys, &RULES, 1700000000, arena, &subject);
    const char *claimed = token_claimed_subject(token, arena);

    MUST(verdict < TOKEN_VERDICTS && token_verdict_name(verdict) != NULL);
    if (verdict == TOKEN_GOOD) {
        MUST(may_be_good);
        must_be_subject(subject);
        MUST(claimed != NULL && strcmp(claimed, subject) == 0);
    }
    if (claimed != NULL) {
        char pseudonym[PSEUDONYM_SIZE];

        must_be_subject(claimed);
        pseudonym_make(pseudonym, claimed);
        MUST(strlen(pseudonym) == PSEUDONYM_SIZE - 1);
    }
    return verdict;
}

/* A signature takes longer than all else. So a token gets the issuer's only if nothing but its
 * signature is wrong. */
static void look_at_signed(const char *header, const char *payload, struct arena *arena)
{
    const char *text = jose_unsigned(arena, header, payload);

    if (look_at(arena_printf(arena, "%s.AAAA", text), false, arena) == TOKEN_BAD_SIGNATURE) {
        look_at(jose_signed(arena, "RS256", text, key), true, arena);
    }
}

/* Without an issuer no token is good, and with any header there is never a caller by handle. */
static void identify(const char *authorization, struct arena *arena)
{
    for (int mode = IDENTITY_TOKEN; mode <= IDENTITY_HANDLE; mode++) {
        const struct identity identity = {.mode = (enum identity_mode)mode, .rules = RULES};
        struct caller caller = caller_identify(&identity, authorization, "::1", true, arena);

        MUST(caller.kind == CALLER_REFUSED && caller.subject == NULL);
        MUST(caller.refusal == TOKEN_NOT_BEARER || caller.refusal == TOKEN_NO_ISSUER);
    }
}

FUZZ_TARGET(token)
{
    struct arena arena = {0};

    if (key == NULL) {
        set_up();
    }
    char *text = arena_copy(&arena, (const char *)data, size);
    look_at(text, false, &arena);
    (void)caller_claimed_subject(text, &arena);
    identify(text, &arena);
    char *payload = strchr(text, '\n');
    if (payload != NULL) {
        *payload++ = '\0';
        look_at_signed(text, payload, &arena);
    }
    arena_release(&arena);
    return 0;
}
