/* The listening socket: our own, the one on fd 0 (spawn-fcgi, FastCGI's own convention), or the one
 * that systemd passes (sd_listen_fds(3)). */
#ifndef CRUDDUR_MASTER_LISTEN_H
#define CRUDDUR_MASTER_LISTEN_H

#include <stdbool.h>
#include <stdint.h>

struct config;

struct listener {
    int fd;
    char *unlink_path;      /* our own unix socket, to be removed at the end; else NULL */
    uint64_t device, inode; /* of that file; a file of another server at its path stays */
    bool is_shared;         /* systemd's, which keeps the socket open when we end */
    bool is_handed_over;    /* opened by another process, which as a rule keeps it open */
};

/* Whether a listening socket was handed over. */
bool listen_is_handed_over(void);

/* Opens the socket, or takes over one that was handed over. False after logging why: two sockets at
 * once, none at all, an address in use by a living server (the socket file of a dead one is
 * replaced), no right to it. */
bool listen_open(const struct config *config, struct listener *listener);

/* Whether these settings may be served on the socket, however it was opened. In handle mode the
 * address of a client is trusted as the peer gives it, so all peers must be processes of this host.
 * False after logging this. */
bool listen_allows(const struct listener *listener, const struct config *config);

/* Sets unlink_path to the path that the socket is bound to; device and inode say whether it is
 * still its file. False: errno says why. */
bool listen_note_path(struct listener *listener);

/* Closes the socket, and removes its file if it is ours. */
void listen_close(struct listener *listener);

#endif
