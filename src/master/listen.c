/* The socket is made with listen(2) by this process, or by another one that handed it over. That
 * decides what happens to the socket at the end. A socket of our own is closed, and its file
 * removed. A socket that was handed over stays, and the connections in its accept queue are for the
 * next server.
 *
 * The file of a unix socket is ours only while device and inode are those that bind(2) gave: a
 * second server may have replaced it meanwhile, and its file must not be removed. An address in
 * use is taken over only if the connection to it is refused, which a living server never does. */
#include "master/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "config/address.h"
#include "config/config.h"
#include "identity/caller.h"

enum { SYSTEMD_FIRST_FD = 3 };

static bool is_listening(int fd)
{
    int listening = 0;
    socklen_t size = sizeof listening;

    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 && listening;
}

/* The number of sockets that systemd passed to this process. */
static int systemd_sockets(void)
{
    const char *pid = getenv("LISTEN_PID");
    const char *count = getenv("LISTEN_FDS");

    return pid != NULL && count != NULL && strtol(pid, NULL, 10) == (long)getpid()
               ? (int)strtol(count, NULL, 10)
               : 0;
}

bool listen_is_handed_over(void)
{
    return systemd_sockets() > 0 || is_listening(STDIN_FILENO);
}

static bool fail(const char *address)
{
    log_errno(LOG_ERROR, "listen", "cannot listen on %s", address);
    return false;
}

static bool take_systemd(struct listener *listener)
{
    if (systemd_sockets() != 1) {
        log_message(LOG_ERROR, "listen", "systemd passed %d sockets instead of one",
                    systemd_sockets());
        return false;
    }
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    listener->fd = SYSTEMD_FIRST_FD;
    listener->is_shared = true;
    listener->is_handed_over = true;
    return is_listening(listener->fd) || fail("systemd's socket");
}

/* Moves the socket away from fd 0, where /dev/null takes its place. */
static bool take_standard_input(struct listener *listener)
{
    listener->fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
    listener->is_handed_over = true;
    int nothing = open("/dev/null", O_RDONLY);

    if (listener->fd < 0 || nothing < 0 || dup2(nothing, STDIN_FILENO) < 0) {
        return fail("fd 0");
    }
    close(nothing);
    return true;
}

/* A socket file without a listening server is left over from a server that was killed. */
static bool remove_dead_socket(const struct sockaddr_un *address)
{
    struct stat about;
    /* Non-blocking: a living server with a full queue shows as EAGAIN. */
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool is_dead = fd >= 0 && lstat(address->sun_path, &about) == 0 && S_ISSOCK(about.st_mode) &&
                   connect(fd, (const struct sockaddr *)address, sizeof *address) != 0 &&
                   errno == ECONNREFUSED && unlink(address->sun_path) == 0;

    if (fd >= 0) {
        close(fd);
    }
    return is_dead;
}

static bool bind_unix(int fd, const struct sockaddr_un *address)
{
    /* No process may connect before mode and group are set. */
    mode_t before = umask(0777);
    int bound = bind(fd, (const struct sockaddr *)address, sizeof *address);

    if (bound != 0 && errno == EADDRINUSE) {
        if (remove_dead_socket(address)) {
            bound = bind(fd, (const struct sockaddr *)address, sizeof *address);
        } else {
            errno = EADDRINUSE;
        }
    }
    umask(before);
    return bound == 0;
}

/* Remembers which file is ours. */
static bool note_file(struct listener *listener, const char *path)
{
    struct stat about;

    if (lstat(path, &about) != 0) {
        return fail(path);
    }
    listener->unlink_path = memory_copy(path);
    listener->device = about.st_dev;
    listener->inode = about.st_ino;
    return true;
}

bool listen_note_path(struct listener *listener)
{
    union {
        struct sockaddr any;
        struct sockaddr_un local;
    } address = {0};
    socklen_t size = sizeof address.local - 1; /* so that the path ends with a NUL */

    if (getsockname(listener->fd, &address.any, &size) != 0) {
        return false;
    }
    listener->unlink_path = memory_copy(address.local.sun_path);
    return true;
}

static bool set_owner(const char *path, const struct config *config)
{
    if (config->listen_group != NULL) {
        const struct group *group = getgrnam(config->listen_group);

        if (group == NULL) {
            log_message(LOG_ERROR, "listen", "there is no group %s", config->listen_group);
            return false;
        }
        if (chown(path, (uid_t)-1, group->gr_gid) != 0) {
            return fail(path);
        }
    }
    return chmod(path, (mode_t)config->listen_mode) == 0 || fail(path);
}

static bool open_unix(const char *path, const struct config *config, struct listener *listener)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (*path != '/' || strlen(path) >= sizeof address.sun_path) {
        log_message(LOG_ERROR, "listen",
                    "%s: a unix socket needs an absolute path of at most %zu bytes", path,
                    sizeof address.sun_path - 1);
        return false;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    listener->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener->fd < 0 || !bind_unix(listener->fd, &address)) {
        return fail(path);
    }
    if (!note_file(listener, path) || !set_owner(path, config)) {
        return false;
    }
    return listen(listener->fd, config->backlog) == 0 || fail(path);
}

/* --- the possible peers --- */

static bool is_of_this_host(int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_storage room;
    } address;
    socklen_t size = sizeof address;

    if (getsockname(fd, &address.any, &size) != 0) {
        return false;
    }
    return address_is_local(&address.any);
}

bool listen_allows(const struct listener *listener, const struct config *config)
{
    if (config->identity != IDENTITY_HANDLE || is_of_this_host(listener->fd)) {
        return true;
    }
    log_message(LOG_ERROR, "listen", "--identity handle listens on loopback or a unix socket only");
    return false;
}

/* --- opening --- */

static bool open_tcp(const char *address, const struct config *config, struct listener *listener)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found = NULL;
    char host[ADDRESS_HOST_SIZE];
    const char *port;
    int on = 1;

    if (!address_split(address, host, &port)) {
        log_message(LOG_ERROR, "listen", "%s: a TCP address is host:port", address);
        return false;
    }
    int failure = getaddrinfo(host, port, &hints, &found);
    if (failure != 0) {
        log_message(LOG_ERROR, "listen", "%s: %s", address, gai_strerror(failure));
        return false;
    }
    listener->fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool good = listener->fd >= 0 &&
                setsockopt(listener->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
                bind(listener->fd, found->ai_addr, found->ai_addrlen) == 0 &&
                listen(listener->fd, config->backlog) == 0;
    freeaddrinfo(found);
    return good || fail(address);
}

static bool open_own(const struct config *config, struct listener *listener)
{
    if (strncmp(config->listen, "unix:", 5) == 0) {
        return open_unix(config->listen + 5, config, listener);
    }
    if (strncmp(config->listen, "tcp:", 4) == 0) {
        return open_tcp(config->listen + 4, config, listener);
    }
    log_message(LOG_ERROR, "listen", "%s: an address is unix:/path or tcp:host:port",
                config->listen);
    return false;
}

static bool open_any(const struct config *config, struct listener *listener)
{
    bool handed_over = listen_is_handed_over();

    if (config->listen != NULL && handed_over) {
        log_message(LOG_ERROR, "listen", "--listen and a socket that was handed over contradict");
        return false;
    }
    if (config->listen != NULL) {
        return open_own(config, listener);
    }
    if (!handed_over) {
        log_message(LOG_ERROR, "listen",
                    "nothing to listen on: give --listen, a socket on fd 0 or one from systemd");
        return false;
    }
    return systemd_sockets() > 0 ? take_systemd(listener) : take_standard_input(listener);
}

bool listen_open(const struct config *config, struct listener *listener)
{
    *listener = (struct listener){.fd = -1};
    /* Workers share the accept queue: a worker that finds it empty must not block. */
    if (open_any(config, listener) && listen_allows(listener, config) &&
        (fcntl(listener->fd, F_SETFL, O_NONBLOCK) == 0) &&
        fcntl(listener->fd, F_SETFD, FD_CLOEXEC) == 0) {
        return true;
    }
    listen_close(listener);
    return false;
}

/* The file may be another server's, made after ours was removed. */
static void remove_own_file(const struct listener *listener)
{
    struct stat about;

    if (lstat(listener->unlink_path, &about) == 0 && about.st_dev == listener->device &&
        about.st_ino == listener->inode) {
        unlink(listener->unlink_path);
    }
}

void listen_close(struct listener *listener)
{
    if (listener->fd >= 0) {
        close(listener->fd);
    }
    if (listener->unlink_path != NULL) {
        remove_own_file(listener);
        memory_free(listener->unlink_path);
    }
    *listener = (struct listener){.fd = -1};
}
