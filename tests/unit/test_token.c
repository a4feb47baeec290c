/* Access tokens: what a good one may look like, and forged or broken ones of every kind. */
#include "identity/token.h"

#include <openssl/err.h>
#include <stdio.h>

#include "identity/keys.h"
#include "jose.h"
#include "unit.h"

/* The clock of these tests, as a number and as text, and the ends of the leeway around it. */
#define NOW INT64_C(1700000000)
#define T(offset) "1700000" offset

#define ISS "\"iss\":\"https://issuer.example/pool\","
#define CLIENT "\"client_id\":\"client\","
#define USE "\"token_use\":\"access\","
#define SUB "\"sub\":\"subject\","
#define EXP "\"exp\":" T("100")

#define HEADER "{\"alg\":\"RS256\",\"kid\":\"one\"}"
#define PAYLOAD "{" ISS CLIENT USE SUB EXP "}"

static const struct token_rules RULES = {.issuer = "https://issuer.example/pool",
                                         .client_id = "client"};

static struct arena arena;
static EVP_PKEY *key_one, *key_two, *key_ec;
static struct keys *keys; /* of "one" and "two" */

static int set_up(void **state)
{
    (void)state;
    key_one = jose_rsa_key(2048);
    key_two = jose_rsa_key(2048);
    key_ec = jose_ec_key();
    const char *set =
        arena_printf(&arena, "{\"keys\":[%s,%s]}", jose_jwk(&arena, "one", key_one, ""),
                     jose_jwk(&arena, "two", key_two, ""));
    keys = keys_parse(set, strlen(set));
    return keys != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    keys_free(keys);
    EVP_PKEY_free(key_one);
    EVP_PKEY_free(key_two);
    EVP_PKEY_free(key_ec);
    arena_release(&arena);
    return 0;
}

static enum token_verdict verdict_of(const char *token, const char **subject)
{
    *subject = NULL;
    enum token_verdict verdict = token_verify(token, keys, &RULES, NOW, &arena, subject);

    expect("no error is left behind for others to find", ERR_peek_error() == 0);
    return verdict;
}

static void expect_verdict(const char *label, const char *token, enum token_verdict wanted)
{
    const char *subject;

    expect_integer(label, verdict_of(token, &subject), wanted);
    if (wanted != TOKEN_GOOD) {
        expect_text(label, subject, NULL);
    }
}

/* The token is refused for any reason but an unknown key. */
static void expect_refused(const char *label, const char *token)
{
    const char *subject;
    enum token_verdict verdict = verdict_of(token, &subject);

    expect(label, verdict != TOKEN_GOOD && verdict != TOKEN_UNKNOWN_KEY);
    expect_text(label, subject, NULL);
}

static const char *issued(const char *header, const char *payload)
{
    return jose_signed(&arena, "RS256", jose_unsigned(&arena, header, payload), key_one);
}

static void test_good(void **state)
{
    static const struct {
        const char *label, *header, *payload, *subject;
    } rows[] = {
        {"plain", HEADER, PAYLOAD, "subject"},
        {"another order", "{\"kid\":\"one\",\"typ\":\"JWT\",\"alg\":\"RS256\"}",
         "{" EXP "," USE SUB CLIENT "\"iss\":\"https://issuer.example/pool\"}", "subject"},
        {"blanks and escapes", " {\"alg\" : \"RS\\u003256\",\n\"kid\":\"\\u006fne\"}\t",
         PAYLOAD " ", "subject"},
        {"what Cognito says more", HEADER,
         "{" ISS CLIENT USE
         "\"sub\":\"d7c1e2a4-0000-4000-8000-1a2b3c4d5e6f\",\"username\":\"d7c1\",\"scope\":\"aws."
         "cognito.signin.user.admin\",\"auth_time\":1699999000,\"iat\":1699999000,\"jti\":\"x\","
         "\"origin_jti\":\"y\",\"event_id\":\"z\",\"cognito:groups\":[\"a\"],\"version\":2," EXP
         "}",
         "d7c1e2a4-0000-4000-8000-1a2b3c4d5e6f"},
        {"UTF-8", HEADER, "{" ISS CLIENT USE EXP ",\"sub\":\"\\u00e9\xc3\xa9\"}", "éé"},
        {"the last good second", HEADER, "{" ISS CLIENT USE SUB "\"exp\":1699999971}", "subject"},
        {"the first good second", HEADER, "{" ISS CLIENT USE SUB EXP ",\"nbf\":" T("030") "}",
         "subject"},
        {"until the end of time", HEADER, "{" ISS CLIENT USE SUB "\"exp\":253402300799}",
         "subject"},
        {"nbf long ago", HEADER, "{" ISS CLIENT USE SUB EXP ",\"nbf\":1}", "subject"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *subject;

        expect_integer(rows[i].label, verdict_of(issued(rows[i].header, rows[i].payload), &subject),
                       TOKEN_GOOD);
        expect_text(rows[i].label, subject, rows[i].subject);
    }
    const char *of_two = jose_unsigned(&arena, "{\"alg\":\"RS256\",\"kid\":\"two\"}", PAYLOAD);
    expect_verdict("the other key", jose_signed(&arena, "RS256", of_two, key_two), TOKEN_GOOD);
}

/* Headers under the issuer's own signature: only the header is to blame. */
static void test_headers(void **state)
{
    static const struct {
        const char *label, *header;
    } rows[] = {
        {"alg none", "{\"alg\":\"none\",\"kid\":\"one\"}"},
        {"alg None", "{\"alg\":\"None\",\"kid\":\"one\"}"},
        {"alg empty", "{\"alg\":\"\",\"kid\":\"one\"}"},
        {"alg rs256", "{\"alg\":\"rs256\",\"kid\":\"one\"}"},
        {"alg RS256 and a blank", "{\"alg\":\"RS256 \",\"kid\":\"one\"}"},
        {"alg RS384", "{\"alg\":\"RS384\",\"kid\":\"one\"}"},
        {"alg RS512", "{\"alg\":\"RS512\",\"kid\":\"one\"}"},
        {"alg PS256", "{\"alg\":\"PS256\",\"kid\":\"one\"}"},
        {"alg ES256", "{\"alg\":\"ES256\",\"kid\":\"one\"}"},
        {"alg HS256", "{\"alg\":\"HS256\",\"kid\":\"one\"}"},
        {"alg a number", "{\"alg\":256,\"kid\":\"one\"}"},
        {"alg null", "{\"alg\":null,\"kid\":\"one\"}"},
        {"alg a list", "{\"alg\":[\"RS256\"],\"kid\":\"one\"}"},
        {"no alg", "{\"kid\":\"one\"}"},
        {"alg twice", "{\"alg\":\"none\",\"alg\":\"RS256\",\"kid\":\"one\"}"},
        {"alg twice, escaped", "{\"\\u0061lg\":\"none\",\"alg\":\"RS256\",\"kid\":\"one\"}"},
        {"no kid", "{\"alg\":\"RS256\"}"},
        {"kid empty", "{\"alg\":\"RS256\",\"kid\":\"\"}"},
        {"kid null", "{\"alg\":\"RS256\",\"kid\":null}"},
        {"kid a number", "{\"alg\":\"RS256\",\"kid\":1}"},
        {"kid a list", "{\"alg\":\"RS256\",\"kid\":[\"one\"]}"},
        {"kid twice", "{\"alg\":\"RS256\",\"kid\":\"two\",\"kid\":\"one\"}"},
        {"kid with a NUL", "{\"alg\":\"RS256\",\"kid\":\"one\\u0000\"}"},
        {"crit", "{\"alg\":\"RS256\",\"kid\":\"one\",\"crit\":[\"exp\"]}"},
        {"crit null", "{\"alg\":\"RS256\",\"kid\":\"one\",\"crit\":null}"},
        {"crit empty", "{\"alg\":\"RS256\",\"kid\":\"one\",\"crit\":[]}"},
        {"b64", "{\"alg\":\"RS256\",\"kid\":\"one\",\"b64\":false}"},
        {"b64 true", "{\"alg\":\"RS256\",\"kid\":\"one\",\"b64\":true}"},
        {"zip", "{\"alg\":\"RS256\",\"kid\":\"one\",\"zip\":\"DEF\"}"},
        {"enc", "{\"alg\":\"RS256\",\"kid\":\"one\",\"enc\":\"A128GCM\"}"},
        {"nothing", "{}"},
        {"no object", "[\"RS256\",\"one\"]"},
        {"a string", "\"RS256\""},
        {"empty", ""},
        {"half of one", "{\"alg\":\"RS256\",\"kid\":\"one\""},
        {"more behind it", HEADER "x"},
        {"twice", HEADER HEADER},
        {"single quotes", "{'alg':'RS256','kid':'one'}"},
        {"a comment", "{\"alg\":\"RS256\",/**/\"kid\":\"one\"}"},
        {"ill-formed UTF-8", "{\"alg\":\"RS256\",\"kid\":\"one\",\"x\":\"\xff\"}"},
        {"a lone surrogate", "{\"alg\":\"RS256\",\"kid\":\"one\",\"x\":\"\\ud800\"}"},
    };
    char long_kid[512];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        expect_refused(rows[i].label, issued(rows[i].header, PAYLOAD));
    }
    snprintf(long_kid, sizeof long_kid, "{\"alg\":\"RS256\",\"kid\":\"%0256d\"}", 0);
    expect_verdict("a kid of 256 bytes", issued(long_kid, PAYLOAD), TOKEN_UNKNOWN_KEY);
    snprintf(long_kid, sizeof long_kid, "{\"alg\":\"RS256\",\"kid\":\"%0257d\"}", 0);
    expect_refused("a kid of 257 bytes", issued(long_kid, PAYLOAD));
}

/* A payload under the issuer's own signature: only the payload is to blame. */
static void test_claims(void **state)
{
    static const struct {
        const char *label, *payload;
    } rows[] = {
        {"no iss", "{" CLIENT USE SUB EXP "}"},
        {"another pool", "{\"iss\":\"https://issuer.example/other\"," CLIENT USE SUB EXP "}"},
        {"iss and a slash", "{\"iss\":\"https://issuer.example/pool/\"," CLIENT USE SUB EXP "}"},
        {"a part of iss", "{\"iss\":\"https://issuer.example/poo\"," CLIENT USE SUB EXP "}"},
        {"iss in a list", "{\"iss\":[\"https://issuer.example/pool\"]," CLIENT USE SUB EXP "}"},
        {"iss null", "{\"iss\":null," CLIENT USE SUB EXP "}"},
        {"no client", "{" ISS USE SUB EXP "}"},
        {"another client", "{" ISS "\"client_id\":\"other\"," USE SUB EXP "}"},
        {"client empty", "{" ISS "\"client_id\":\"\"," USE SUB EXP "}"},
        {"client in a list", "{" ISS "\"client_id\":[\"client\"]," USE SUB EXP "}"},
        {"aud instead of client", "{" ISS "\"aud\":\"client\"," USE SUB EXP "}"},
        {"no use", "{" ISS CLIENT SUB EXP "}"},
        {"use refresh", "{" ISS CLIENT "\"token_use\":\"refresh\"," SUB EXP "}"},
        {"use Access", "{" ISS CLIENT "\"token_use\":\"Access\"," SUB EXP "}"},
        {"an id token", "{" ISS "\"aud\":\"client\",\"token_use\":\"id\"," SUB EXP "}"},
        {"an id token with a client", "{" ISS CLIENT "\"token_use\":\"id\"," SUB EXP "}"},
        {"no sub", "{" ISS CLIENT USE EXP "}"},
        {"username instead of sub", "{" ISS CLIENT USE "\"username\":\"subject\"," EXP "}"},
        {"sub empty", "{" ISS CLIENT USE "\"sub\":\"\"," EXP "}"},
        {"sub null", "{" ISS CLIENT USE "\"sub\":null," EXP "}"},
        {"sub a number", "{" ISS CLIENT USE "\"sub\":7," EXP "}"},
        {"sub an object", "{" ISS CLIENT USE "\"sub\":{}," EXP "}"},
        {"sub with a NUL", "{" ISS CLIENT USE "\"sub\":\"subject\\u0000x\"," EXP "}"},
        {"sub twice", "{" ISS CLIENT USE "\"sub\":\"other\"," SUB EXP "}"},
        {"iss twice", "{" ISS ISS CLIENT USE SUB EXP "}"},
        {"a name twice deep inside", "{" ISS CLIENT USE SUB "\"x\":[{\"y\":1,\"y\":2}]," EXP "}"},
        {"no exp", "{" ISS CLIENT USE "\"sub\":\"subject\"}"},
        {"exp just over", "{" ISS CLIENT USE SUB "\"exp\":1699999970}"},
        {"exp long over", "{" ISS CLIENT USE SUB "\"exp\":1}"},
        {"exp 0", "{" ISS CLIENT USE SUB "\"exp\":0}"},
        {"exp -1", "{" ISS CLIENT USE SUB "\"exp\":-1}"},
        {"exp as negative as can be", "{" ISS CLIENT USE SUB "\"exp\":-9223372036854775808}"},
        {"exp null", "{" ISS CLIENT USE SUB "\"exp\":null}"},
        {"exp true", "{" ISS CLIENT USE SUB "\"exp\":true}"},
        {"exp a string", "{" ISS CLIENT USE SUB "\"exp\":\"1700000100\"}"},
        {"exp a fraction", "{" ISS CLIENT USE SUB "\"exp\":1700000100.5}"},
        {"exp a whole fraction", "{" ISS CLIENT USE SUB "\"exp\":1700000100.0}"},
        {"exp with an exponent", "{" ISS CLIENT USE SUB "\"exp\":17e8}"},
        {"exp 1e308", "{" ISS CLIENT USE SUB "\"exp\":1e308}"},
        {"exp Infinity", "{" ISS CLIENT USE SUB "\"exp\":Infinity}"},
        {"exp NaN", "{" ISS CLIENT USE SUB "\"exp\":NaN}"},
        {"exp in a list", "{" ISS CLIENT USE SUB "\"exp\":[1700000100]}"},
        {"exp after the year 9999", "{" ISS CLIENT USE SUB "\"exp\":253402300800}"},
        {"exp 2^63 - 1", "{" ISS CLIENT USE SUB "\"exp\":9223372036854775807}"},
        {"exp 2^64", "{" ISS CLIENT USE SUB "\"exp\":18446744073709551616}"},
        {"exp twice", "{" ISS CLIENT USE SUB "\"exp\":1," EXP "}"},
        {"nbf just before", "{" ISS CLIENT USE SUB EXP ",\"nbf\":" T("031") "}"},
        {"nbf long before", "{" ISS CLIENT USE SUB EXP ",\"nbf\":" T("099") "}"},
        {"nbf 0", "{" ISS CLIENT USE SUB EXP ",\"nbf\":0}"},
        {"nbf -1", "{" ISS CLIENT USE SUB EXP ",\"nbf\":-1}"},
        {"nbf null", "{" ISS CLIENT USE SUB EXP ",\"nbf\":null}"},
        {"nbf false", "{" ISS CLIENT USE SUB EXP ",\"nbf\":false}"},
        {"nbf a string", "{" ISS CLIENT USE SUB EXP ",\"nbf\":\"1\"}"},
        {"nbf a fraction", "{" ISS CLIENT USE SUB EXP ",\"nbf\":1.5}"},
        {"nbf 2^64", "{" ISS CLIENT USE SUB EXP ",\"nbf\":18446744073709551616}"},
        {"nothing", "{}"},
        {"empty", ""},
        {"no object", "[]"},
        {"the payload in a list", "[" PAYLOAD "]"},
        {"more behind it", PAYLOAD "x"},
        {"twice", PAYLOAD PAYLOAD},
        {"half of it", "{" ISS CLIENT USE SUB EXP},
        {"a comma too many", "{" ISS CLIENT USE SUB EXP ",}"},
        {"single quotes", "{" ISS CLIENT USE SUB EXP ",'x':1}"},
        {"ill-formed UTF-8", "{" ISS CLIENT USE "\"sub\":\"\xc0\xaf\"," EXP "}"},
        {"a control character", "{" ISS CLIENT USE "\"sub\":\"a\tb\"," EXP "}"},
        {"too deep",
         "{" ISS CLIENT USE SUB EXP ",\"x\":[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]}"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        expect_refused(rows[i].label, issued(HEADER, rows[i].payload));
    }
}

static const char *with_subject_of(int count, const char *character)
{
    const char *subject = "";

    for (int i = 0; i < count; i++) {
        subject = arena_printf(&arena, "%s%s", subject, character);
    }
    return issued(HEADER,
                  arena_printf(&arena, "{" ISS CLIENT USE "\"sub\":\"%s\"," EXP "}", subject));
}

/* The limit counts code points, as users_cognito_user_id_check in sql/schema.sql does. */
static void test_length_of_the_subject(void **state)
{
    static const char *const characters[] = {"s", "\u00fc", "\U0001f600", "\\u00fc",
                                             "\\ud83d\\ude00"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(characters); i++) {
        expect_verdict(characters[i], with_subject_of(128, characters[i]), TOKEN_GOOD);
        expect_refused(characters[i], with_subject_of(129, characters[i]));
    }
}

/* Good text, but not the issuer's signature. */
static void test_signatures(void **state)
{
    static const char *const others[] = {"RS384", "RS512", "PS256"};
    const char *text = jose_unsigned(&arena, HEADER, PAYLOAD);
    const char *good = jose_signed(&arena, "RS256", text, key_one);
    const char *signature = strrchr(good, '.') + 1;
    char header[64];

    (void)state;
    expect_refused("none", arena_printf(&arena, "%s.", text));
    expect_refused("the other key's", jose_signed(&arena, "RS256", text, key_two));
    expect_refused("an EC key's", jose_signed(&arena, "ES256", text, key_ec));
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        expect_refused(others[i], jose_signed(&arena, others[i], text, key_one));
        snprintf(header, sizeof header, "{\"alg\":\"%s\",\"kid\":\"one\"}", others[i]);
        expect_refused(others[i], jose_signed(&arena, others[i],
                                              jose_unsigned(&arena, header, PAYLOAD), key_one));
    }
    const char *changed =
        jose_unsigned(&arena, HEADER, "{" ISS CLIENT USE "\"sub\":\"other\"," EXP "}");
    expect_refused("of another payload", arena_printf(&arena, "%s.%s", changed, signature));
    expect_refused("of 255 bytes", arena_printf(&arena, "%s.%.340s", text, signature));
    expect_refused(
        "of 257 bytes",
        arena_printf(&arena, "%s.%s", text, jose_base64url(&arena, (unsigned char[257]){0}, 257)));
    expect_refused("a byte before it", arena_printf(&arena, "%s.AA%s", text, signature));
    expect_refused("all zero", arena_printf(&arena, "%s.%s", text,
                                            jose_base64url(&arena, (unsigned char[256]){0}, 256)));
    expect_verdict("good after all that", good, TOKEN_GOOD);
}

/* "alg":"none" and HS256 under the public key, the two classic attacks. */
static void test_confusions(void **state)
{
    static const char *const nones[] = {"none", "None", "NONE", "nOnE", ""};
    const char *pem = jose_public_pem(&arena, key_one);
    const char *text = jose_unsigned(&arena, "{\"alg\":\"HS256\",\"kid\":\"one\"}", PAYLOAD);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(nones); i++) {
        const char *header = arena_printf(&arena, "{\"alg\":\"%s\",\"kid\":\"one\"}", nones[i]);
        const char *naked = jose_unsigned(&arena, header, PAYLOAD);

        expect_refused(nones[i], arena_printf(&arena, "%s.", naked));
        expect_refused(nones[i], arena_printf(&arena, "%s.bm9uZQ", naked));
    }
    expect_refused("the PEM as a secret", jose_hmac(&arena, text, pem));
    expect_refused("the modulus as a secret",
                   jose_hmac(&arena, text, jose_modulus(&arena, key_one)));
    expect_refused("an empty secret", jose_hmac(&arena, text, ""));
    text = jose_unsigned(&arena, HEADER, PAYLOAD);
    expect_refused("HS256 under the name of RS256", jose_hmac(&arena, text, pem));
}

/* Keys within a token are ignored. */
static void test_brought_keys(void **state)
{
    EVP_PKEY *forger = jose_rsa_key(2048);
    const char *jwk = jose_jwk(&arena, "one", forger, "");
    const char *brought[] = {
        "\"jku\":\"https://forger.example/jwks.json\"",
        "\"x5u\":\"https://forger.example/key.pem\"",
        "\"x5c\":[\"MIIB\"]",
        arena_printf(&arena, "\"jwk\":%s", jwk),
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(brought); i++) {
        const char *known =
            arena_printf(&arena, "{\"alg\":\"RS256\",\"kid\":\"one\",%s}", brought[i]);
        const char *unknown =
            arena_printf(&arena, "{\"alg\":\"RS256\",\"kid\":\"forger\",%s}", brought[i]);
        const char *text = jose_unsigned(&arena, known, PAYLOAD);

        expect_refused(brought[i], jose_signed(&arena, "RS256", text, forger));
        text = jose_unsigned(&arena, unknown, PAYLOAD);
        expect_verdict(brought[i], jose_signed(&arena, "RS256", text, forger), TOKEN_UNKNOWN_KEY);
    }
    EVP_PKEY_free(forger);
}

static void test_unknown_keys(void **state)
{
    static const char *const kids[] = {"three", "One", "on", "one ", "ONE", "../one"};
    const char *subject;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(kids); i++) {
        const char *header = arena_printf(&arena, "{\"alg\":\"RS256\",\"kid\":\"%s\"}", kids[i]);

        expect_verdict(kids[i], issued(header, PAYLOAD), TOKEN_UNKNOWN_KEY);
        /* The payload is not checked before the signature. */
        expect_verdict(kids[i], issued(header, "no JSON"), TOKEN_UNKNOWN_KEY);
        expect_verdict(kids[i], issued(header, "{\"exp\":1}"), TOKEN_UNKNOWN_KEY);
    }
    expect_integer("no keys at all",
                   token_verify(issued(HEADER, PAYLOAD), NULL, &RULES, NOW, &arena, &subject),
                   TOKEN_UNKNOWN_KEY);
    /* Only a well-formed token with a kid is a reason to fetch the issuer's keys. */
    expect_integer(
        "no keys, no kid",
        token_verify(issued("{\"alg\":\"RS256\"}", PAYLOAD), NULL, &RULES, NOW, &arena, &subject),
        TOKEN_MALFORMED);
    expect_integer(
        "no keys, no signature",
        token_verify(arena_printf(&arena, "%s.=", jose_unsigned(&arena, HEADER, PAYLOAD)), NULL,
                     &RULES, NOW, &arena, &subject),
        TOKEN_MALFORMED);
}

/* A good token of `wanted` bytes, made by padding its payload. */
static const char *token_of_length(size_t wanted)
{
    for (size_t filler = wanted * 3 / 4 - 500; filler < wanted; filler++) {
        for (int kid = 0; kid < 2; kid++) {
            const char *header = kid ? HEADER " " : HEADER;
            const char *payload =
                arena_printf(&arena, "{" ISS CLIENT USE SUB EXP ",\"x\":\"%0*d\"}", (int)filler, 0);
            const char *text = jose_unsigned(&arena, header, payload);

            if (strlen(text) + 1 + 342 == wanted) {
                return jose_signed(&arena, "RS256", text, key_one);
            }
        }
    }
    fail_msg("no token of %zu bytes", wanted);
    return NULL;
}

static void test_length(void **state)
{
    (void)state;
    expect_integer("4096", (long long)strlen(token_of_length(4096)), 4096);
    expect_verdict("4096 bytes", token_of_length(4096), TOKEN_GOOD);
    expect_refused("4097 bytes", token_of_length(4097));
    expect_refused("8192 bytes", token_of_length(8192));
}

static void test_forms(void **state)
{
    const char *good = issued(HEADER, PAYLOAD);
    const char *first = strchr(good, '.');
    const char *second = strrchr(good, '.');
    const char *signature = second + 1;
    int header_length = (int)(first - good);
    int text_length = (int)(second - good);
    const struct {
        const char *label, *token;
    } rows[] = {
        {"empty", ""},
        {"one word", "null"},
        {"no dot", "x"},
        {"one dot", "."},
        {"two dots", ".."},
        {"three dots", "..."},
        {"one part", arena_printf(&arena, "%.*s", header_length, good)},
        {"two parts", arena_printf(&arena, "%.*s", text_length, good)},
        {"two parts and a dot", arena_printf(&arena, "%.*s.", text_length, good)},
        {"four parts", arena_printf(&arena, "%s.x", good)},
        {"four parts, one empty", arena_printf(&arena, "%s.", good)},
        {"five parts", arena_printf(&arena, "%s..", good)},
        {"a dot before it", arena_printf(&arena, ".%s", good)},
        {"no header", good + header_length},
        {"no payload", arena_printf(&arena, "%.*s.%s", header_length + 1, good, signature)},
        {"a blank behind it", arena_printf(&arena, "%s ", good)},
        {"a line's end behind it", arena_printf(&arena, "%s\n", good)},
        {"garbage behind it", arena_printf(&arena, "%sAAAA", good)},
        {"padding behind it", arena_printf(&arena, "%s==", good)},
        {"padding in the header", arena_printf(&arena, "%.*s=%s", header_length, good, first)},
        {"padding alone", "A===.A===.A==="},
        {"a letter that isn't base64url",
         arena_printf(&arena, "%.*s.%s*", text_length, good, signature)},
        {"a quote", arena_printf(&arena, "\"%s\"", good)},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        expect_refused(rows[i].label, rows[i].token);
    }
    expect_verdict("good", good, TOKEN_GOOD);
}

/* The two characters that differ in base64's classic alphabet, and unused bits. */
static void test_encoding(void **state)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    char *token = arena_printf(&arena, "%s", issued(HEADER, PAYLOAD));
    size_t last = strlen(token) - 1; /* 256 bytes leave four of its bits unused */
    size_t value = (size_t)(strchr(digits, token[last]) - digits);

    (void)state;
    assert_int_equal(value & 15, 0);
    for (size_t stray = 1; stray < 16; stray++) {
        token[last] = digits[value | stray];
        expect_refused("stray bits of the signature", token);
    }
    /* A header of 28 bytes has unused bits too; here the signature covers them. */
    char *text = arena_printf(&arena, "%s", jose_unsigned(&arena, HEADER " ", PAYLOAD));
    char *end = strchr(text, '.') - 1;
    *end = digits[(size_t)(strchr(digits, *end) - digits) | 1];
    expect_refused("stray bits of the header", jose_signed(&arena, "RS256", text, key_one));
    text = arena_printf(&arena, "%sA.%s", jose_base64url(&arena, HEADER, strlen(HEADER)),
                        jose_base64url(&arena, PAYLOAD, strlen(PAYLOAD)));
    expect_refused("a character that begins nothing", jose_signed(&arena, "RS256", text, key_one));
    bool has_seen_one = false;
    for (int i = 0; i < 64 && !has_seen_one; i++) {
        const char *payload = arena_printf(&arena, "{" ISS CLIENT USE SUB EXP ",\"x\":%d}", i);
        char *classic = arena_printf(&arena, "%s", issued(HEADER, payload));
        char *letter = strpbrk(strrchr(classic, '.'), "-_");

        if (letter != NULL) {
            has_seen_one = true;
            *letter = *letter == '-' ? '+' : '/';
            expect_refused("the classic alphabet", classic);
        }
    }
    expect("a signature with - or _", has_seen_one);
    expect_refused("a part of one character", arena_printf(&arena, "%s.A", text));
}

/* The reason that is counted and logged for a refusal: the first fault in the order of the checks.
 * */
static void test_reasons(void **state)
{
    static const struct {
        enum token_verdict wanted;
        const char *header, *payload;
    } rows[] = {
        {TOKEN_WRONG_ALGORITHM, "{\"alg\":\"none\"}", "no JSON"},
        {TOKEN_WRONG_ALGORITHM, "{\"alg\":\"RS256\",\"kid\":\"one\",\"crit\":[]}", PAYLOAD},
        {TOKEN_MALFORMED, "{\"alg\":\"RS256\"}", PAYLOAD},
        {TOKEN_MALFORMED, "no JSON", PAYLOAD},
        {TOKEN_UNKNOWN_KEY, "{\"alg\":\"RS256\",\"kid\":\"three\"}", "{}"},
        {TOKEN_BAD_SIGNATURE, "{\"alg\":\"RS256\",\"kid\":\"two\"}", "{}"},
        {TOKEN_MALFORMED, HEADER, "no JSON"},
        {TOKEN_WRONG_ISSUER, HEADER, "{}"},
        {TOKEN_WRONG_USE, HEADER, "{" ISS EXP "}"},
        {TOKEN_WRONG_AUDIENCE, HEADER, "{" ISS USE EXP "}"},
        {TOKEN_BAD_CLAIM, HEADER, "{" ISS USE CLIENT "\"x\":1}"},
        {TOKEN_BAD_CLAIM, HEADER, "{" ISS USE CLIENT "\"exp\":1,\"nbf\":\"1\"}"},
        {TOKEN_EXPIRED, HEADER, "{" ISS USE CLIENT "\"exp\":1,\"nbf\":" T("099") "}"},
        {TOKEN_NOT_YET_VALID, HEADER, "{" ISS USE CLIENT EXP ",\"nbf\":" T("099") "}"},
        {TOKEN_BAD_CLAIM, HEADER, "{" ISS USE CLIENT EXP "}"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        expect_verdict(rows[i].payload, issued(rows[i].header, rows[i].payload), rows[i].wanted);
    }
}

static void test_each_reason_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (int i = 0; i < TOKEN_VERDICTS; i++) {
        const char *name = token_verdict_name((enum token_verdict)i);

        assert_non_null(name);
        expect(name, strspn(name, "abcdefghijklmnopqrstuvwxyz_") == strlen(name));
        for (int j = 0; j < i; j++) {
            expect(name, strcmp(name, token_verdict_name((enum token_verdict)j)) != 0);
        }
    }
}

/* The claimed subject is not verified: only its form is checked. */
static void test_the_claimed_subject(void **state)
{
    static const struct {
        const char *header, *payload, *subject;
    } rows[] = {
        {HEADER, PAYLOAD, "subject"},        {"no JSON", "{" SUB "\"exp\":1}", "subject"},
        {HEADER, "no JSON", NULL},           {HEADER, "[]", NULL},
        {HEADER, "{\"sub\":7}", NULL},       {HEADER, "{\"sub\":\"\"}", NULL},
        {HEADER, "{\"sub\":null}", NULL},    {HEADER, "{}", NULL},
        {HEADER, "{" SUB SUB EXP "}", NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        expect_text(rows[i].payload,
                    token_claimed_subject(issued(rows[i].header, rows[i].payload), &arena),
                    rows[i].subject);
    }
    expect_text("no token", token_claimed_subject("null", &arena), NULL);
    expect_text("dots", token_claimed_subject("..", &arena), NULL);
}

/* A token with any one bit changed is refused. */
static void test_flipped_bits(void **state)
{
    const char *good = issued(HEADER, PAYLOAD);
    size_t length = strlen(good);

    (void)state;
    for (size_t i = 0; i < length; i++) {
        char *flipped = arena_copy(&arena, good, length);
        const char *subject;

        flipped[i] = (char)(flipped[i] ^ 1 << i % 7);
        expect(flipped, verdict_of(flipped, &subject) != TOKEN_GOOD);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_claims),
        cmocka_unit_test(test_signatures),
        cmocka_unit_test(test_confusions),
        cmocka_unit_test(test_brought_keys),
        cmocka_unit_test(test_unknown_keys),
        cmocka_unit_test(test_length_of_the_subject),
        cmocka_unit_test(test_length),
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_encoding),
        cmocka_unit_test(test_reasons),
        cmocka_unit_test(test_each_reason_has_a_name_of_its_own),
        cmocka_unit_test(test_the_claimed_subject),
        cmocka_unit_test(test_flipped_bits),
    };

    return cmocka_run_group_tests_name("token", tests, set_up, tear_down);
}
