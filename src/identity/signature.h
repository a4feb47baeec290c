/* Signed bodies: the header "t=<seconds since 1970>,v1=<hex>", whose v1 is the HMAC-SHA256 (RFC
 * 2104) of "<t>.<body>" with a secret that sender and receiver share. */
#ifndef CRUDDUR_IDENTITY_SIGNATURE_H
#define CRUDDUR_IDENTITY_SIGNATURE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum {
    SIGNATURE_WINDOW_S = 300,  /* how far a sender's time may be from ours, either way */
    SIGNATURE_SECRET_MIN = 32, /* bytes, as many as the MAC has */
};

enum signature_verdict {
    SIGNATURE_GOOD,
    SIGNATURE_REFUSED,
    SIGNATURE_EXPIRED /* made with the secret, but not within the window */
};

/* Verifies a body as it arrived at now_s (seconds since 1970). header may be NULL: not sent. It may
 * carry several v1, so that a sender can sign with the old and the new secret while it changes; one
 * of them must be right, all must be well-formed. Whether a MAC is equal takes the same time for
 * every wrong one. */
MUST_CHECK enum signature_verdict signature_verify(const char *header, const char *secret,
                                                   const char *body, size_t body_length,
                                                   int64_t now_s);

/* When a body was signed, in seconds since 1970, by a header that signature_verify took. */
int64_t signature_time(const char *header);

#endif
