/* The listening socket: our own, the one on fd 0 (spawn-fcgi, FastCGI's own convention), or the one
 * that systemd passes (sd_listen_fds(3)). */
#ifndef CRUDDUR_DAEMON_LISTEN_H
#define CRUDDUR_DAEMON_LISTEN_H

#include <stdbool.h>

#include "daemon/config.h"

struct listener {
    int fd;
    char *unlink_path; /* our own unix socket, to be removed at the end; else NULL */
    bool is_shared;    /* systemd's: it goes on listening without us */
};

/* Whether a listening socket was handed over. */
bool listen_is_handed_over(void);

/* Opens or takes over. False after logging why: two sockets at once, none at all, an address in
 * use by a living server (a dead one's socket file is replaced), no right to it. */
bool listen_open(const struct config *config, struct listener *listener);

/* Closes it, and removes the socket file if it is ours. */
void listen_close(struct listener *listener);

#endif
