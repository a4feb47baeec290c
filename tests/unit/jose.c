#include "jose.h"

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "base/base64url.h"
#include "unit.h"

EVP_PKEY *jose_rsa_key(unsigned bits)
{
    EVP_PKEY *pkey = EVP_RSA_gen(bits);

    assert_non_null(pkey);
    return pkey;
}

EVP_PKEY *jose_ec_key(void)
{
    EVP_PKEY *pkey = EVP_EC_gen("P-256");

    assert_non_null(pkey);
    return pkey;
}

const char *jose_base64url(struct arena *arena, const void *bytes, size_t length)
{
    char *text = arena_alloc(arena, BASE64URL_TEXT_SIZE(length));

    base64url_encode(bytes, length, text);
    return text;
}

static const char *number(struct arena *arena, const EVP_PKEY *pkey, const char *name)
{
    BIGNUM *value = NULL;

    assert_int_equal(EVP_PKEY_get_bn_param(pkey, name, &value), 1);
    unsigned char *bytes = arena_alloc(arena, (size_t)BN_num_bytes(value));
    size_t length = (size_t)BN_bn2bin(value, bytes);
    BN_free(value);
    return jose_base64url(arena, bytes, length);
}

const char *jose_modulus(struct arena *arena, const EVP_PKEY *pkey)
{
    return number(arena, pkey, OSSL_PKEY_PARAM_RSA_N);
}

const char *jose_exponent(struct arena *arena, const EVP_PKEY *pkey)
{
    return number(arena, pkey, OSSL_PKEY_PARAM_RSA_E);
}

const char *jose_jwk(struct arena *arena, const char *kid, const EVP_PKEY *pkey, const char *more)
{
    return arena_printf(arena, "{\"kty\":\"RSA\",\"kid\":\"%s\",\"n\":\"%s\",\"e\":\"%s\"%s}", kid,
                        jose_modulus(arena, pkey), jose_exponent(arena, pkey), more);
}

const char *jose_public_pem(struct arena *arena, EVP_PKEY *pkey)
{
    BIO *memory = BIO_new(BIO_s_mem());
    char *bytes;

    assert_int_equal(PEM_write_bio_PUBKEY(memory, pkey), 1);
    long length = BIO_get_mem_data(memory, &bytes);
    const char *pem = arena_copy(arena, bytes, (size_t)length);
    BIO_free(memory);
    return pem;
}

const char *jose_unsigned(struct arena *arena, const char *header, const char *payload)
{
    return arena_printf(arena, "%s.%s", jose_base64url(arena, header, strlen(header)),
                        jose_base64url(arena, payload, strlen(payload)));
}

static const EVP_MD *digest_of(const char *algorithm)
{
    return strcmp(algorithm + 2, "384") == 0   ? EVP_sha384()
           : strcmp(algorithm + 2, "512") == 0 ? EVP_sha512()
                                               : EVP_sha256();
}

const char *jose_signed(struct arena *arena, const char *algorithm, const char *text,
                        EVP_PKEY *pkey)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *options;
    unsigned char signature[1024];
    size_t length = sizeof signature;

    assert_int_equal(EVP_DigestSignInit(context, &options, digest_of(algorithm), NULL, pkey), 1);
    if (strncmp(algorithm, "PS", 2) == 0) {
        assert_true(EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) == 1 &&
                    EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST) == 1);
    }
    assert_int_equal(
        EVP_DigestSign(context, signature, &length, (const unsigned char *)text, strlen(text)), 1);
    EVP_MD_CTX_free(context);
    return arena_printf(arena, "%s.%s", text, jose_base64url(arena, signature, length));
}

const char *jose_hmac(struct arena *arena, const char *text, const char *secret)
{
    unsigned char signature[EVP_MAX_MD_SIZE];
    unsigned length;

    assert_non_null(HMAC(EVP_sha256(), secret, (int)strlen(secret), (const unsigned char *)text,
                         strlen(text), signature, &length));
    return arena_printf(arena, "%s.%s", text, jose_base64url(arena, signature, length));
}
