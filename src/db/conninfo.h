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

/* Parses any connection string of libpq: both schemes, several hosts, key=value. Adds, where it
 * doesn't say otherwise, tcp_user_timeout and keep-alives so that a dead network shows in seconds;
 * sets client_encoding and application_name. The error has nothing of the string's
 * password, and then the caller frees nothing. */
MUST_CHECK bool conninfo_parse(const char *url, const char *application_name,
                               struct conninfo *conninfo, struct error *error);

/* Sets host, hostaddr, port and connect_timeout to what libpq would take for them where the string
 * doesn't have them: from its service, the environment and the defaults. Without effect when libpq
 * can't tell, as for an unknown service; connecting then fails with its reason. */
void conninfo_complete(struct conninfo *conninfo);

/* Whether it names several hosts, once it is complete. */
bool conninfo_has_hosts(const struct conninfo *conninfo);

/* Of a keyword; NULL when it isn't set. */
const char *conninfo_value(const struct conninfo *conninfo, const char *keyword);

/* value NULL: the keyword is not set. */
void conninfo_set(struct conninfo *conninfo, const char *keyword, const char *value);
void conninfo_release(struct conninfo *conninfo);

#endif
