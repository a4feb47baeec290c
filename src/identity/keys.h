/* The issuer's public keys: a JSON Web Key Set (RFC 7517), of which only RSA keys for RS256 are
 * used. */
#ifndef CRUDDUR_IDENTITY_KEYS_H
#define CRUDDUR_IDENTITY_KEYS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct keys;

enum {
    KEYS_MAX = 16,             /* usable ones in a set */
    KEYS_TEXT_MAX = 64 * 1024, /* bytes of a set */
    KEY_BITS_MIN = 2048,
    KEY_BITS_MAX = 8192
};

/* Sets OpenSSL up. Optional: what is set up before a fork is shared by the processes. */
void keys_prepare(void);

/* The set's usable keys: kty RSA, use "sig" or absent, alg "RS256" or absent, a kid of its own, a
 * modulus of KEY_BITS_MIN to KEY_BITS_MAX. Two keys with the same kid are both left out. NULL if no
 * key is left. */
MUST_CHECK struct keys *keys_parse(const char *text, size_t length);
void keys_free(struct keys *keys); /* NULL is allowed */

/* Whether there is a usable key with this kid. keys may be NULL, for no keys. */
bool keys_have(const struct keys *keys, const char *kid);

/* Whether signature is the key's RSASSA-PKCS1-v1_5 with SHA-256 (RS256) over text. */
MUST_CHECK bool keys_verify(const struct keys *keys, const char *kid, const char *text,
                            size_t text_length, const unsigned char *signature,
                            size_t signature_length);

#endif
