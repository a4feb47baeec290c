/* The addresses behind the host names of a connection string. The resolver makes its caller wait, for
 * seconds when no name server answers, so a thread asks it. */
#ifndef CRUDDUR_DB_LOOKUP_H
#define CRUDDUR_DB_LOOKUP_H

#include <stdbool.h>

struct lookup;

/* Whether the comma-separated list has a name in it, not only addresses and folders of sockets. */
bool lookup_is_needed(const char *hosts);

/* Begins; ports is a list of as many items or of one, NULL for none. NULL: there is no thread to be had. */
struct lookup *lookup_start(const char *hosts, const char *ports);

/* Readable once it is done. */
int lookup_fd(const struct lookup *lookup);

/* What was found, once it is done, as three lists of equal length, an item for each address; a folder
 * has an empty one. False when that is nothing at all: *why says so. The text ends with the lookup. */
struct addresses {
    const char *hosts, *addresses, *ports;
};
bool lookup_take(const struct lookup *lookup, struct addresses *found, const char **why);

/* Gives it up, done or not. NULL is allowed. */
void lookup_free(struct lookup *lookup);

#endif
