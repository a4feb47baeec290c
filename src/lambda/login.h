/* How the function logs in to the database: a connection string of libpq, from the URL of the
 * settings, a secret, or both. */
#ifndef CRUDDUR_LAMBDA_LOGIN_H
#define CRUDDUR_LAMBDA_LOGIN_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"

#define LOGIN_APPLICATION_NAME "cruddur-confirm"

/* Appends the connection string. url: NULL: not set. secret: NULL: there is none; else a URL, or a
 * JSON object as RDS writes it: its username and password win over the URL's, its host, port and
 * dbname are used where the URL has none. False: the URL or the secret is wrong. error has nothing
 * of a password. */
MUST_CHECK bool login_write(const char *url, const char *secret, struct buf *login,
                            struct error *error);

/* Whether the connection goes over a network and the string asks for less than verify-full. */
bool login_is_unverified(const char *login);

#endif
