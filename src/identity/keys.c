/* RSA public keys from a JWKS (RFC 7517). A key that is not for RS256 signatures is ignored, so a
 * set may have keys of other kinds. Two keys with one kid make that kid ambiguous, and no token
 * with it is good: if both keys were tried, each would be accepted in place of the other. Sizes are
 * bounded, since a huge modulus makes each check slow. */
#include "identity/keys.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <string.h>

#include "base/base64url.h"
#include "base/json.h"
#include "base/memory.h"

enum { NUMBER_TEXT_MAX = BASE64URL_TEXT_SIZE(KEY_BITS_MAX / 8 + 1) };

/* A key of the set. is_ambiguous: another key of the set has the same kid. */
struct key {
    char *kid;
    EVP_PKEY *pkey;
    bool is_ambiguous;
};

struct keys {
    size_t count;
    struct key key[KEYS_MAX];
};

static const char *member_text(const struct json *jwk, const char *name)
{
    const char *text;

    return json_member(jwk, name, &text) == JSON_STRING ? text : NULL;
}

static bool is_absent_or(const struct json *jwk, const char *name, const char *wanted)
{
    const char *text;
    enum json_kind kind = json_member(jwk, name, &text);

    return kind == JSON_ABSENT || (kind == JSON_STRING && strcmp(text, wanted) == 0);
}

/* A Base64urlUInt (RFC 7518 section 2); NULL: the member is not one, or is too large. */
static BIGNUM *number_of(const struct json *jwk, const char *name)
{
    unsigned char bytes[BASE64URL_DECODED_MAX(NUMBER_TEXT_MAX)];
    const char *text = member_text(jwk, name);
    size_t length = text != NULL ? strlen(text) : 0;

    if (length == 0 || length > NUMBER_TEXT_MAX ||
        !base64url_decode(text, length, bytes, &length)) {
        return NULL;
    }
    return BN_bin2bn(bytes, (int)length, NULL);
}

/* The bounds are checked before the key is made: odd modulus and exponent, 2048 bits at least. */
static EVP_PKEY *pkey_of(const struct json *jwk)
{
    BIGNUM *n = number_of(jwk, "n");
    BIGNUM *e = number_of(jwk, "e");
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    OSSL_PARAM *params = NULL;
    EVP_PKEY *pkey = NULL;

    if (n != NULL && e != NULL && BN_num_bits(n) >= KEY_BITS_MIN &&
        BN_num_bits(n) <= KEY_BITS_MAX && BN_is_odd(n) && BN_is_odd(e) && BN_num_bits(e) > 1 &&
        build != NULL && context != NULL &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e) &&
        (params = OSSL_PARAM_BLD_to_param(build)) != NULL && EVP_PKEY_fromdata_init(context) == 1) {
        EVP_PKEY_fromdata(context, &pkey, EVP_PKEY_PUBLIC_KEY, params);
    }
    OSSL_PARAM_free(params);
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_BLD_free(build);
    BN_free(e);
    BN_free(n);
    ERR_clear_error();
    return pkey;
}

/* A linear search is faster than a hash, since there are KEYS_MAX keys at most. */
static struct key *find_key(const struct keys *keys, const char *kid)
{
    for (size_t i = 0; i < keys->count; i++) {
        if (strcmp(keys->key[i].kid, kid) == 0) {
            return (struct key *)&keys->key[i];
        }
    }
    return NULL;
}

static void add_key(struct keys *keys, const struct json *jwk)
{
    const char *kty = member_text(jwk, "kty");
    const char *kid = member_text(jwk, "kid");

    if (kty == NULL || strcmp(kty, "RSA") != 0 || kid == NULL || *kid == '\0' ||
        !is_absent_or(jwk, "use", "sig") || !is_absent_or(jwk, "alg", "RS256")) {
        return;
    }
    struct key *twin = find_key(keys, kid);
    if (twin != NULL) {
        twin->is_ambiguous = true;
        return;
    }
    EVP_PKEY *pkey = keys->count < KEYS_MAX ? pkey_of(jwk) : NULL;
    if (pkey != NULL) {
        keys->key[keys->count++] = (struct key){.kid = memory_copy(kid), .pkey = pkey};
    }
}

/* To be called before the fork: loading OpenSSL's providers takes milliseconds, and the workers
 * share the memory then. */
void keys_prepare(void)
{
    unsigned char byte;

    OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CRYPTO_STRINGS | OPENSSL_INIT_LOAD_CONFIG, NULL);
    EVP_MD_free(EVP_MD_fetch(NULL, "SHA256", NULL)); /* loads the provider */
    RAND_bytes(&byte, 1);                            /* the generator, which notices a fork */
}

/* A set without a usable key gives NULL, so that the keyring keeps its present set. */
struct keys *keys_parse(const char *text, size_t length)
{
    struct json *set = length <= KEYS_TEXT_MAX ? json_parse(text, length) : NULL;
    struct keys *keys = memory_zeroed(sizeof *keys);
    size_t usable = 0;

    for (size_t i = 0; set != NULL && i < json_array_size(set, "keys"); i++) {
        const struct json *jwk = json_array_object(set, "keys", i);

        if (jwk != NULL) {
            add_key(keys, jwk);
        }
    }
    json_free(set);
    for (size_t i = 0; i < keys->count; i++) {
        usable += !keys->key[i].is_ambiguous;
    }
    if (usable == 0) {
        keys_free(keys);
        return NULL;
    }
    return keys;
}

void keys_free(struct keys *keys)
{
    if (keys == NULL) {
        return;
    }
    for (size_t i = 0; i < keys->count; i++) {
        memory_free(keys->key[i].kid);
        EVP_PKEY_free(keys->key[i].pkey);
    }
    memory_free(keys);
}

bool keys_have(const struct keys *keys, const char *kid)
{
    const struct key *key = keys != NULL ? find_key(keys, kid) : NULL;

    return key != NULL && !key->is_ambiguous;
}

/* The padding is PKCS #1 v1.5, as RS256 says; PSS would be another algorithm. */
bool keys_verify(const struct keys *keys, const char *kid, const char *text, size_t text_length,
                 const unsigned char *signature, size_t signature_length)
{
    const struct key *key = find_key(keys, kid);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pkey_context;
    bool good = false;

    if (context != NULL && key != NULL && !key->is_ambiguous &&
        signature_length == (size_t)EVP_PKEY_get_size(key->pkey) &&
        EVP_DigestVerifyInit(context, &pkey_context, EVP_sha256(), NULL, key->pkey) == 1 &&
        EVP_PKEY_CTX_set_rsa_padding(pkey_context, RSA_PKCS1_PADDING) == 1) {
        good = EVP_DigestVerify(context, signature, signature_length, (const unsigned char *)text,
                                text_length) == 1;
    }
    EVP_MD_CTX_free(context);
    ERR_clear_error();
    return good;
}
