/* The addresses of the hosts of a connection, one target for each address. The resolver blocks its
 * caller, for seconds if no name server answers, so it is called in a thread. */
#ifndef CRUDDUR_DB_LOOKUP_H
#define CRUDDUR_DB_LOOKUP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct lookup;

/* One way to the server, each member as libpq takes it. NULL leaves a member to libpq's
 * defaults. */
struct target {
    char *host;    /* also what a certificate and a password file are compared with */
    char *address; /* numeric; NULL: the host is a folder of sockets */
    char *port;
};

/* Starts the look-up. The lists are libpq's host, hostaddr and port; NULL for one that is not set.
 * A host that has a numeric address already is not looked up. NULL: there is no thread or
 * descriptor for it. */
MUST_CHECK struct lookup *lookup_start(const char *hosts, const char *addresses, const char *ports);

/* Readable when the look-up is done. */
int lookup_fd(const struct lookup *lookup);

/* Whether no name had to be looked up, so that the look-up was done when lookup_start returned. */
bool lookup_is_done(const struct lookup *lookup);

/* The targets of a look-up that is done, in the order of the lists; they live as long as the
 * look-up. False: there is none, and error says why. */
MUST_CHECK bool lookup_take(const struct lookup *lookup, const struct target **targets,
                            size_t *count, struct error *error);

/* Frees the look-up, done or not. NULL is allowed. */
void lookup_free(struct lookup *lookup);

#endif
