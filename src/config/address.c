/* Loopback is 127.0.0.0/8, ::1, and 127.0.0.0/8 mapped into IPv6. A host name is not resolved,
 * because its address can change; the opened socket is checked instead (listen_allows). */
#include "config/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static bool is_loopback4(struct in_addr address)
{
    return (ntohl(address.s_addr) >> 24) == IN_LOOPBACKNET;
}

static bool is_loopback6(const struct in6_addr *address)
{
    struct in_addr mapped;

    memcpy(&mapped, address->s6_addr + 12, sizeof mapped);
    return IN6_IS_ADDR_LOOPBACK(address) || (IN6_IS_ADDR_V4MAPPED(address) && is_loopback4(mapped));
}

bool address_split(const char *address, char host[static ADDRESS_HOST_SIZE], const char **port)
{
    const char *colon = strrchr(address, ':');

    if (colon == NULL || colon == address || colon[1] == '\0' ||
        colon - address >= ADDRESS_HOST_SIZE) {
        return false;
    }
    bool has_brackets = *address == '[' && colon[-1] == ']';
    snprintf(host, ADDRESS_HOST_SIZE, "%.*s", (int)(colon - address - 2 * has_brackets),
             address + has_brackets);
    *port = colon + 1;
    return true;
}

enum reach address_reach(const char *address)
{
    char host[ADDRESS_HOST_SIZE];
    const char *port;
    struct in_addr four;
    struct in6_addr six;

    if (!address_split(address, host, &port)) {
        return REACH_UNKNOWN;
    }
    if (inet_pton(AF_INET, host, &four) == 1) {
        return is_loopback4(four) ? REACH_HOST : REACH_NETWORK;
    }
    if (inet_pton(AF_INET6, host, &six) == 1) {
        return is_loopback6(&six) ? REACH_HOST : REACH_NETWORK;
    }
    return REACH_UNKNOWN;
}

bool address_is_local(const struct sockaddr *address)
{
    switch (address->sa_family) {
    case AF_UNIX:
        return true;
    case AF_INET:
        return is_loopback4(((const struct sockaddr_in *)(const void *)address)->sin_addr);
    case AF_INET6:
        return is_loopback6(&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr);
    default:
        return false;
    }
}
