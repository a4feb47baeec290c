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
 * carry several v1, so that a sender can sign with both the old and the new secret while the secret
 * is changed; one of them must be right, all must be well-formed. The comparison takes the same
 * time for every wrong MAC. */
MUST_CHECK enum signature_verdict signature_verify(const char *header, const char *secret,
                                                   const char *body, size_t body_length,
                                                   int64_t now_s);

/* The time of the signature in seconds since 1970, from a header that signature_verify accepted. */
int64_t signature_time(const char *header);

#endif
