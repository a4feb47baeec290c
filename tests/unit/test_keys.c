/* The issuer's key sets: which keys of them are used. */
#include "identity/keys.h"

#include <openssl/bn.h>
#include <openssl/err.h>

#include "base/buf.h"
#include "jose.h"
#include "unit.h"

static struct arena arena;
static EVP_PKEY *key_one, *key_two, *key_small, *key_ec;
static const char *n, *n_small; /* moduli */

static int set_up(void **state)
{
    (void)state;
    key_one = jose_rsa_key(2048);
    key_two = jose_rsa_key(2048);
    key_small = jose_rsa_key(1024);
    key_ec = jose_ec_key();
    n = jose_modulus(&arena, key_one);
    n_small = jose_modulus(&arena, key_small);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    EVP_PKEY_free(key_one);
    EVP_PKEY_free(key_two);
    EVP_PKEY_free(key_small);
    EVP_PKEY_free(key_ec);
    arena_release(&arena);
    return 0;
}

static struct keys *parse(const char *text)
{
    struct keys *keys = keys_parse(text, strlen(text));

    expect("no error is left behind for others to find", ERR_peek_error() == 0);
    return keys;
}

/* Whether the key has signed "text". */
static bool verifies(const struct keys *keys, const char *kid, const char *algorithm,
                     EVP_PKEY *pkey)
{
    unsigned char signature[1024];
    size_t length = sizeof signature;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    const EVP_MD *digest = strcmp(algorithm, "RS256") == 0 ? EVP_sha256() : EVP_sha384();

    assert_int_equal(EVP_DigestSignInit(context, NULL, digest, NULL, pkey), 1);
    assert_int_equal(EVP_DigestSign(context, signature, &length, (const unsigned char *)"text", 4),
                     1);
    EVP_MD_CTX_free(context);
    bool good = keys_verify(keys, kid, "text", 4, signature, length);
    expect("no error is left behind for others to find", ERR_peek_error() == 0);
    return good;
}

/* A set with one key, "one". */
static const char *alone(const char *jwk)
{
    return arena_printf(&arena, "{\"keys\":[%s]}", jwk);
}

/* A JWK from its members, with %s for a good modulus. */
static const char *jwk(const char *format)
{
    const char *mark = strstr(format, "%s");

    return mark != NULL
               ? arena_printf(&arena, "%.*s%s%s", (int)(mark - format), format, n, mark + 2)
               : format;
}

static void test_usable(void **state)
{
    static const char *const rows[] = {
        "{\"kty\":\"RSA\",\"kid\":\"one\",\"n\":\"%s\",\"e\":\"AQAB\"}",
        "{\"kty\":\"RSA\",\"kid\":\"one\",\"n\":\"%s\",\"e\":\"AQAB\",\"use\":\"sig\"}",
        "{\"kty\":\"RSA\",\"kid\":\"one\",\"n\":\"%s\",\"e\":\"AQAB\",\"alg\":\"RS256\"}",
        "{\"e\":\"AAEAAQ\",\"kid\":\"one\",\"kty\":\"RSA\",\"n\":\"%s\",\"x5c\":[\"MIIB\"],\"x\":"
        "null}",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct keys *keys = parse(alone(jwk(rows[i])));

        expect(rows[i], keys_have(keys, "one"));
        expect(rows[i], verifies(keys, "one", "RS256", key_one));
        expect(rows[i], !verifies(keys, "one", "RS256", key_two));
        expect(rows[i], !verifies(keys, "one", "RS384", key_one));
        expect(rows[i], !verifies(keys, "one", "RS256", key_small));
        keys_free(keys);
    }
}

static void test_unusable(void **state)
{
    static const char *const rows[] = {
        "{\"kid\":\"one\",\"n\":\"%s\",\"e\":\"AQAB\"}",
        "{\"kty\":\"rsa\",\"kid\":\"one\",\"n\":\"%s\",\"e\":\"AQAB\"}",
        "{\"kty\":\"EC\",\"kid\":\"one\",\"n\":\"%s\",\"e\":\"AQAB\"}",
        "{\"kty\":\"oct\",\"kid\":\"one\",\"n\":\"%s\",\"e\":\"AQAB\",\"k\":\"AQAB\"}",
        "{\"kty\":null,\"kid\":\"one\",\"n\":\"%s\",\"e\":\"AQAB\"}",
        "{\"kty\":[\"RSA\"],\"kid\":\"one\",\"n\":\"%s\",\"e\":\"AQAB\"}",
        "{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"AQAB\"}",
        "{\"kty\":\"RSA\",\"kid\":\"\",\"n\":\"%s\",\"e\":\"AQAB\"}",
        "{\"kty\":\"RSA\",\"kid\":1,\"n\":\"%s\",\"e\":\"AQAB\"}",
        "{\"kty\":\"RSA\",\"kid\":\"one\",\"n\":\"%s\",\"e\":\"AQAB\",\"use\":\"enc\"}",
        "{\"kty\":\"RSA\",\"kid\":\"one\",\"n\":\"%s\",\"e\":\"AQAB\",\"use\":\"\"}",
        "{\"kty\":\"RSA\",\"kid\":\"one\",\"n\":\"%s\",\"e\":\"AQAB\",\"use\":null}",
        "{\"kty\":\"RSA\",\"kid\":\"one\",\"n\":\"%s\",\"e\":\"AQAB\",\"use\":[\"sig\"]}",
        "{\"kty\":\"RSA\",\"kid\":\"one\",\"n\":\"%s\",\"e\":\"AQAB\",\"alg\":\"RS384\"}",
        "{\"kty\":\"RSA\",\"kid\":\"one\",\"n\":\"%s\",\"e\":\"AQAB\",\"alg\":\"PS256\"}",
        "{\"kty\":\"RSA\",\"kid\":\"one\",\"n\":\"%s\",\"e\":\"AQAB\",\"alg\":\"RSA-OAEP\"}",
        "{\"kty\":\"RSA\",\"kid\":\"one\",\"n\":\"%s\",\"e\":\"AQAB\",\"alg\":null}",
        "{\"kty\":\"RSA\",\"kid\":\"one\",\"e\":\"AQAB\"}",
        "{\"kty\":\"RSA\",\"kid\":\"one\",\"n\":\"\",\"e\":\"AQAB\"}",
        "{\"kty\":\"RSA\",\"kid\":\"one\",\"n\":7,\"e\":\"AQAB\"}",
        "{\"kty\":\"RSA\",\"kid\":\"one\",\"n\":\"=%s\",\"e\":\"AQAB\"}",
        "{\"kty\":\"RSA\",\"kid\":\"one\",\"n\":\"%s==\",\"e\":\"AQAB\"}",
        "{\"kty\":\"RSA\",\"kid\":\"one\",\"n\":\"%s+\",\"e\":\"AQAB\"}",
        "{\"kty\":\"RSA\",\"kid\":\"one\",\"n\":\"%sA\",\"e\":\"AQAB\"}", /* an even modulus */
        "{\"kty\":\"RSA\",\"kid\":\"one\",\"n\":\"%s\"}",
        "{\"kty\":\"RSA\",\"kid\":\"one\",\"n\":\"%s\",\"e\":\"\"}",
        "{\"kty\":\"RSA\",\"kid\":\"one\",\"n\":\"%s\",\"e\":65537}",
        "{\"kty\":\"RSA\",\"kid\":\"one\",\"n\":\"%s\",\"e\":\"AA\"}",   /* 0 */
        "{\"kty\":\"RSA\",\"kid\":\"one\",\"n\":\"%s\",\"e\":\"AQ\"}",   /* 1 */
        "{\"kty\":\"RSA\",\"kid\":\"one\",\"n\":\"%s\",\"e\":\"AQAA\"}", /* 65536 */
        "{\"kty\":\"RSA\",\"kid\":\"one\",\"n\":\"%s\",\"e\":\"AQAB\",\"e\":\"AQAB\"}",
        "null",
        "[]",
        "\"RSA\"",
        "{}",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        expect(rows[i], parse(alone(jwk(rows[i]))) == NULL);
    }
}

static void test_what_is_no_set(void **state)
{
    const char *good = jwk("{\"kty\":\"RSA\",\"kid\":\"one\",\"n\":\"%s\",\"e\":\"AQAB\"}");
    const char *rows[] = {
        "",
        "null",
        "{}",
        "{\"keys\":[]}",
        "{\"keys\":null}",
        "{\"keys\":{}}",
        "<html>",
        good,
        arena_printf(&arena, "[%s]", good),
        arena_printf(&arena, "{\"keys\":%s}", good),
        arena_printf(&arena, "{\"keys\":[%s]", good),
        arena_printf(&arena, "{\"keys\":[%s]}}", good),
        arena_printf(&arena, "{\"Keys\":[%s]}", good),
        arena_printf(&arena, "{\"keys\":[],\"keys\":[%s]}", good),
        arena_printf(&arena, "{\"keys\":[%s,]}", good),
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        expect(rows[i], parse(rows[i]) == NULL);
    }
    assert_null(keys_parse("", 0));
    assert_false(keys_have(NULL, "one"));
    keys_free(NULL);
}

/* A random odd number of this many bits in base64url, which is accepted as a modulus. */
static const char *modulus_of(int bits)
{
    BIGNUM *number = BN_new();

    assert_int_equal(BN_rand(number, bits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ODD), 1);
    unsigned char *bytes = arena_alloc(&arena, (size_t)BN_num_bytes(number));
    size_t length = (size_t)BN_bn2bin(number, bytes);
    BN_free(number);
    return jose_base64url(&arena, bytes, length);
}

static const char *made_up(const char *kid, int bits)
{
    return arena_printf(&arena, "{\"kty\":\"RSA\",\"kid\":\"%s\",\"n\":\"%s\",\"e\":\"AQAB\"}", kid,
                        modulus_of(bits));
}

static void test_sizes(void **state)
{
    static const struct {
        int bits;
        bool is_usable;
    } rows[] = {
        {512, false}, {1024, false}, {2047, false}, {2048, true},   {2049, true},   {4096, true},
        {8191, true}, {8192, true},  {8193, false}, {16384, false}, {40000, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *label = arena_printf(&arena, "%d bits", rows[i].bits);
        struct keys *keys = parse(alone(made_up("one", rows[i].bits)));

        expect(label, (keys != NULL) == rows[i].is_usable);
        expect(label, keys_have(keys, "one") == rows[i].is_usable);
        keys_free(keys);
    }
    /* Leading zeros do not make a key larger. */
    const char *padded = arena_printf(
        &arena, "{\"kty\":\"RSA\",\"kid\":\"one\",\"n\":\"AAAA%s\",\"e\":\"AQAB\"}", n_small);
    assert_null(parse(alone(padded)));
}

static void test_neighbours(void **state)
{
    const char *set =
        arena_printf(&arena,
                     "{\"keys\":[{\"kty\":\"EC\",\"kid\":\"ec\",\"crv\":\"P-256\",\"x\":\"AQAB\","
                     "\"y\":\"AQAB\"},"
                     "7,%s,null,{\"kty\":\"RSA\",\"kid\":\"small\",\"n\":\"%s\",\"e\":\"AQAB\"},%s,"
                     "{\"kty\":\"oct\",\"kid\":\"oct\",\"k\":\"AQAB\"}],\"more\":{\"keys\":[]}}",
                     jose_jwk(&arena, "one", key_one, ",\"use\":\"sig\""), n_small,
                     jose_jwk(&arena, "two", key_two, ",\"alg\":\"RS256\""));
    static const char *const none[] = {"ec", "small", "oct", "", "three", "One", "one "};
    struct keys *keys = parse(set);

    (void)state;
    assert_true(verifies(keys, "one", "RS256", key_one));
    assert_true(verifies(keys, "two", "RS256", key_two));
    assert_false(verifies(keys, "one", "RS256", key_two));
    assert_false(verifies(keys, "one", "RS256", key_ec));
    for (size_t i = 0; i < COUNT_OF(none); i++) {
        expect(none[i], !keys_have(keys, none[i]));
        expect(none[i], !verifies(keys, none[i], "RS256", key_one));
    }
    keys_free(keys);
}

static void test_signature_lengths(void **state)
{
    struct keys *keys = parse(alone(jose_jwk(&arena, "one", key_one, "")));
    static const unsigned char bytes[1024];
    static const size_t lengths[] = {0, 1, 32, 128, 255, 256, 257, 512, 1024};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        assert_false(keys_verify(keys, "one", "text", 4, bytes, lengths[i]));
        assert_int_equal(ERR_peek_error(), 0);
    }
    keys_free(keys);
}

/* A kid that occurs twice names no key, not even if both keys are the same. */
static void test_twins(void **state)
{
    const char *one = jose_jwk(&arena, "one", key_one, "");
    const char *other_one = jose_jwk(&arena, "one", key_two, "");
    const char *two = jose_jwk(&arena, "two", key_two, "");
    const struct {
        const char *label, *set;
        bool has_two;
    } rows[] = {
        {"two keys", arena_printf(&arena, "{\"keys\":[%s,%s]}", one, other_one), false},
        {"the same key", arena_printf(&arena, "{\"keys\":[%s,%s]}", one, one), false},
        {"three", arena_printf(&arena, "{\"keys\":[%s,%s,%s]}", one, other_one, one), false},
        {"and another", arena_printf(&arena, "{\"keys\":[%s,%s,%s]}", one, two, other_one), true},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct keys *keys = parse(rows[i].set);

        expect(rows[i].label, (keys != NULL) == rows[i].has_two);
        expect(rows[i].label, !keys_have(keys, "one"));
        expect(rows[i].label, keys_have(keys, "two") == rows[i].has_two);
        if (keys != NULL) {
            expect(rows[i].label, !verifies(keys, "one", "RS256", key_one));
            expect(rows[i].label, !verifies(keys, "one", "RS256", key_two));
            expect(rows[i].label, verifies(keys, "two", "RS256", key_two));
        }
        keys_free(keys);
    }
}

/* KEYS_MAX keys "kid 0", "kid 1", …, then last. */
static const char *full_set(const char *last)
{
    const char *set = "{\"keys\":[";

    for (int i = 0; i < KEYS_MAX; i++) {
        set = arena_printf(&arena, "%s%s,", set,
                           made_up(arena_printf(&arena, "kid %d", i), KEY_BITS_MIN));
    }
    return arena_printf(&arena, "%s%s]}", set, last);
}

static void test_many(void **state)
{
    struct keys *keys = parse(full_set(jose_jwk(&arena, "one", key_one, "")));

    (void)state;
    for (int i = 0; i < KEYS_MAX; i++) {
        const char *kid = arena_printf(&arena, "kid %d", i);

        expect(kid, keys_have(keys, kid));
    }
    assert_false(keys_have(keys, "one"));
    assert_false(verifies(keys, "one", "RS256", key_one));
    keys_free(keys);
    keys = parse(full_set(jose_jwk(&arena, "kid 3", key_one, "")));
    assert_true(keys_have(keys, "kid 2"));
    assert_false(keys_have(keys, "kid 3")); /* twice, although the second is not stored */
    keys_free(keys);
}

static void test_length(void **state)
{
    const char *good = alone(jose_jwk(&arena, "one", key_one, ""));
    struct buf text = {0};

    (void)state;
    buf_text(&text, good);
    while (text.length < KEYS_TEXT_MAX) {
        buf_append(&text, " ", 1);
    }
    struct keys *keys = keys_parse(text.bytes, text.length);
    assert_non_null(keys);
    keys_free(keys);
    buf_append(&text, " ", 1);
    assert_int_equal(text.length, KEYS_TEXT_MAX + 1);
    assert_null(keys_parse(text.bytes, text.length));
    buf_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_usable),         cmocka_unit_test(test_unusable),
        cmocka_unit_test(test_what_is_no_set), cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_neighbours),     cmocka_unit_test(test_signature_lengths),
        cmocka_unit_test(test_twins),          cmocka_unit_test(test_many),
        cmocka_unit_test(test_length),
    };

    return cmocka_run_group_tests_name("keys", tests, set_up, tear_down);
}
