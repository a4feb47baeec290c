/* A secret of AWS Secrets Manager, by its operation GetSecretValue. */
#ifndef CRUDDUR_LAMBDA_SECRET_H
#define CRUDDUR_LAMBDA_SECRET_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"

struct environment;

enum {
    SECRET_TEXT_MAX = 65536, /* bytes, as many as Secrets Manager keeps */
    SECRET_ATTEMPTS_MAX = 2,
    SECRET_ATTEMPT_MS = 2000
};

/* Where a secret is: from its ARN, or the URL from the settings. */
struct secret_place {
    char region[32];
    char url[256];
};

/* endpoint: NULL: AWS's own. False: the ARN is not one of a secret, or the endpoint would show the
 * secret to the network: only an endpoint on this machine may be without TLS. */
MUST_CHECK bool secret_locate(const char *arn, const char *endpoint, struct secret_place *place,
                              struct error *error);

/* Replaces text by the secret's value. Waits no longer than time_ms. False: the value could not be
 * fetched; error says why, and has nothing of the value. */
MUST_CHECK bool secret_fetch(const struct environment *environment, int time_ms, struct buf *text,
                             struct error *error);

#endif
