/* TCP addresses as the settings have them, host:port, and which peers can connect to them. */
#ifndef CRUDDUR_CONFIG_ADDRESS_H
#define CRUDDUR_CONFIG_ADDRESS_H

#include <stdbool.h>

struct sockaddr;

enum { ADDRESS_HOST_SIZE = 256 };

/* The parts of host:port; an IPv6 host is in brackets. *port points into address. False: it has
 * another form. */
bool address_split(const char *address, char host[static ADDRESS_HOST_SIZE], const char **port);

enum reach {
    REACH_HOST,    /* processes of this host alone: a unix socket, or a loopback address */
    REACH_NETWORK, /* processes of other hosts, too */
    REACH_UNKNOWN  /* a host name */
};

/* Which peers can connect to host:port. Does not resolve names. */
enum reach address_reach(const char *address);

/* Whether only processes of this host can connect to the address: a unix socket or a loopback
 * address. */
bool address_is_local(const struct sockaddr *address);

#endif
