/* The settings of the Lambda function, all of them variables of the environment:
 *
 *     CONNECTION_URL             the database; with DATABASE_SECRET_ARN login and password come
 *                                from the secret
 *     DATABASE_SECRET_ARN        a secret of Secrets Manager with login and password, see login.h
 *     AWS_COGNITO_USER_POOL_ID   the user pool whose events are accepted; not set: any
 *     PGSSLMODE, PGSSLROOTCERT   how the server's certificate is verified, unless the URL says so
 *     AWS_CA_BUNDLE              the authorities of Secrets Manager's certificate
 *     CRUDDUR_DEADLINE           how long the database may take for an event, in ms
 *     CRUDDUR_SQL_DIR            the folder of the SQL templates
 *     AWS_ENDPOINT_URL_SECRETS_MANAGER, AWS_ENDPOINT_URL   instead of AWS's own endpoint
 *
 * Lambda sets AWS_LAMBDA_RUNTIME_API, LAMBDA_TASK_ROOT and the credentials of the function's
 * role. */
#ifndef CRUDDUR_LAMBDA_ENVIRONMENT_H
#define CRUDDUR_LAMBDA_ENVIRONMENT_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"

enum {
    ENVIRONMENT_DEADLINE_MS = 4000, /* because Cognito waits for 5 s */
    ENVIRONMENT_DEADLINE_MIN_MS = 100,
    ENVIRONMENT_DEADLINE_MAX_MS = 900000 /* a function may run for that long */
};

/* The strings are those of the environment; NULL: not set, or empty. */
struct environment {
    const char *runtime_api; /* host and port */
    const char *connection_url;
    const char *secret_arn;
    const char *user_pool;
    const char *ca_bundle;
    const char *endpoint; /* of Secrets Manager */
    const char *key_id, *secret_key, *session_token;
    int deadline_ms;
    struct buf sql_dir;
};

/* Reads the environment of the process. Sets these variables if they are not set: PGSSLMODE to
 * verify-full, and the certificate authorities, for libpq and curl, to the files of the bundle, if
 * they are there. False: a setting is missing or wrong. Call environment_release in any case. */
MUST_CHECK bool environment_read(struct environment *environment, struct error *error);
void environment_release(struct environment *environment);

#endif
