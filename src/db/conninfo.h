/* Where the database is: libpq's keywords and values from a URL, with our defaults. */
#ifndef CRUDDUR_DB_CONNINFO_H
#define CRUDDUR_DB_CONNINFO_H

#include <stdbool.h>

enum { CONNINFO_KEYWORDS_MAX = 64 };

struct conninfo {
    char
        *keywords[CONNINFO_KEYWORDS_MAX + 1]; /* up to a NULL, as PQconnectStartParams takes them */
    char *values[CONNINFO_KEYWORDS_MAX + 1];
};

/* Parses any connection string of libpq: both schemes, several hosts, key=value. Adds, where it
 * doesn't say otherwise, tcp_user_timeout and keep-alives so that a dead network shows in seconds;
 * sets client_encoding and application_name. Of several hosts it begins with number first_host
 * (modulo their number), so that each attempt can start with another one. On false *why is text
 * without the string's password; the caller frees nothing. */
bool conninfo_parse(const char *url, const char *application_name, unsigned first_host,
                    struct conninfo *conninfo, char why[static 256]);

/* Of a keyword; NULL when it isn't set. */
const char *conninfo_value(const struct conninfo *conninfo, const char *keyword);
void conninfo_set(struct conninfo *conninfo, const char *keyword, const char *value);
void conninfo_release(struct conninfo *conninfo);

/* list with its comma-separated items rotated to begin with item number first (modulo their
 * number). A list of one item, such as a port that all hosts share, stays as it is. Free with
 * memory_free. */
char *conninfo_rotate(const char *list, unsigned first);

#endif
