/* Keys and tokens as an issuer makes them, and as a forger does. Texts live in the arena. */
#ifndef CRUDDUR_TESTS_JOSE_H
#define CRUDDUR_TESTS_JOSE_H

#include <openssl/evp.h>

#include "base/arena.h"

/* Makes a new key pair; a failure ends the test. Free with EVP_PKEY_free. */
EVP_PKEY *jose_rsa_key(unsigned bits);
EVP_PKEY *jose_ec_key(void);

/* An RSA key's numbers in base64url. */
const char *jose_modulus(struct arena *arena, const EVP_PKEY *pkey);
const char *jose_exponent(struct arena *arena, const EVP_PKEY *pkey);

/* {"kty":"RSA","kid":…,"n":…,"e":…MORE}: more is text such as ",\"use\":\"sig\"", or "". */
const char *jose_jwk(struct arena *arena, const char *kid, const EVP_PKEY *pkey, const char *more);

const char *jose_base64url(struct arena *arena, const void *bytes, size_t length);

/* A public key as PEM. A forger uses this text as the secret of an HS256 signature. */
const char *jose_public_pem(struct arena *arena, EVP_PKEY *pkey);

/* HEADER.PAYLOAD, both encoded. */
const char *jose_unsigned(struct arena *arena, const char *header, const char *payload);

/* text with a signature of this algorithm: RS256, RS384, RS512, PS256 or ES256. */
const char *jose_signed(struct arena *arena, const char *algorithm, const char *text,
                        EVP_PKEY *pkey);

/* text with an HS256 "signature". */
const char *jose_hmac(struct arena *arena, const char *text, const char *secret);

#endif
