/* Where the database is: libpq's keywords and values from a URL, with our defaults. */
#ifndef CRUDDUR_DB_CONNINFO_H
#define CRUDDUR_DB_CONNINFO_H

#include <stdbool.h>

#include "base/error.h"

enum { CONNINFO_KEYWORDS_MAX = 64 };

struct conninfo {
    char
        *keywords[CONNINFO_KEYWORDS_MAX + 1]; /* up to a NULL, as PQconnectStartParams takes them */
    char *values[CONNINFO_KEYWORDS_MAX + 1];
};

/* Parses any connection string of libpq: both schemes, several hosts, key=value. Adds
 * tcp_user_timeout and keep-alives, unless the string sets them, so that a dead network is noticed
 * in seconds; sets client_encoding and application_name. The text of an error contains no part of
 * the password. After an error the caller frees nothing. */
MUST_CHECK bool conninfo_parse(const char *url, const char *application_name,
                               struct conninfo *conninfo, struct error *error);

/* Sets host, hostaddr, port and connect_timeout, where the string does not have them, to the
 * values that libpq would use: from the string's service, the environment and the defaults. Has no
 * effect if libpq cannot tell, as for an unknown service; connecting then fails with libpq's
 * reason. */
void conninfo_complete(struct conninfo *conninfo);

/* Whether conninfo names several hosts. It must be complete (conninfo_complete). */
bool conninfo_has_hosts(const struct conninfo *conninfo);

/* The value of a keyword; NULL if it is not set. */
const char *conninfo_value(const struct conninfo *conninfo, const char *keyword);

/* Sets a keyword; with value NULL it is not set. */
void conninfo_set(struct conninfo *conninfo, const char *keyword, const char *value);
void conninfo_release(struct conninfo *conninfo);

#endif
