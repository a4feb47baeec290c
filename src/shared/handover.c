/* Descriptors are passed with SCM_RIGHTS (unix(7)). Within a pool the messages go through one
 * socket pair; it keeps their boundaries, so a connection and the bytes that were read from it
 * arrive together or not at all. The sender closes its descriptor after that.
 *
 * Between two servers there is no such pair. The message travels through the accept queue of the
 * socket that they share, as a connection to it. Any process that may connect could send one, so
 * the receiver accepts messages from processes of its own user only. */
#include "shared/handover.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "http/fastcgi.h"

/* Room for one descriptor, aligned as a control message must be. */
union control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
};

static const char MARK = 'c'; /* a message without a byte would be the end of the queue */

bool handover_open(struct handover *handover)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0) {
        return false;
    }
    setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &(int){2 * FASTCGI_REQUEST_MAX}, sizeof(int));
    *handover = (struct handover){.give = pair[0], .take = pair[1]};
    return true;
}

bool handover_give(const struct handover *handover, int fd, const struct buf *buffered,
                   int timeout_ms)
{
    char mark = MARK;
    struct iovec data[] = {{&mark, 1}, {buffered->bytes, buffered->length}};
    union control control = {0};
    struct msghdr message = {.msg_iov = data,
                             .msg_iovlen = 2,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    struct pollfd room = {.fd = handover->give, .events = POLLOUT};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);

    if (header == NULL) {
        return false; /* there is room for one; the analyzer doesn't know */
    }
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(header), &fd, sizeof fd);
    while (sendmsg(handover->give, &message, MSG_NOSIGNAL) < 0) {
        if (errno != EINTR && (errno != EAGAIN || poll(&room, 1, timeout_ms) <= 0)) {
            return false;
        }
    }
    return true;
}

bool handover_waits(const struct handover *handover)
{
    struct pollfd queue = {.fd = handover->take, .events = POLLIN};

    return poll(&queue, 1, 0) > 0;
}

int handover_take(const struct handover *handover, struct buf *buffered)
{
    static char bytes[FASTCGI_REQUEST_MAX];
    char mark;
    struct iovec data[] = {{&mark, 1}, {bytes, sizeof bytes}};
    union control control;
    struct msghdr message = {.msg_iov = data,
                             .msg_iovlen = 2,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    int fd = -1;

    ssize_t got = recvmsg(handover->take, &message, MSG_CMSG_CLOEXEC);

    if (got <= 0) {
        return -1;
    }
    if (got > 1) {
        buf_append(buffered, bytes, (size_t)got - 1);
    }
    const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header != NULL && header->cmsg_type == SCM_RIGHTS) {
        memcpy(&fd, CMSG_DATA(header), sizeof fd);
    }
    return fd;
}

/* --- left for the next server --- */

enum { LEFT_FDS_MAX = 2 }; /* the connection, and the file with the bytes that were read from it */

union left_control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(LEFT_FDS_MAX * sizeof(int))];
};

static bool peer_of(int fd, struct ucred *peer)
{
    socklen_t size = sizeof *peer;

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, peer, &size) == 0;
}

/* Whether fd is connected to listen_fd: for both, SO_PEERCRED gives the process that called
 * listen(2) on the listening socket. */
static bool leads_to(int fd, int listen_fd)
{
    struct ucred one, other;

    return peer_of(fd, &one) && peer_of(listen_fd, &other) && one.pid == other.pid &&
           one.uid == other.uid;
}

/* A connection to the listening socket, or -1. */
static int connect_to(int listen_fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_un local;
    } address;
    socklen_t size = sizeof address;

    if (getsockname(listen_fd, &address.any, &size) != 0 || address.any.sa_family != AF_UNIX) {
        errno = EAFNOSUPPORT;
        return -1;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && connect(fd, &address.any, size) == 0) {
        if (leads_to(fd, listen_fd)) {
            return fd;
        }
        errno = EADDRINUSE;
    }
    int failure = errno;
    if (fd >= 0) {
        close(fd);
    }
    errno = failure;
    return -1;
}

/* A file in memory with the bytes, or -1. */
static int file_of(const struct buf *bytes)
{
    int fd = memfd_create("cruddurd", MFD_CLOEXEC);

    if (fd >= 0 && write(fd, bytes->bytes, bytes->length) != (ssize_t)bytes->length) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static bool send_left(int message_fd, const int *fds, size_t count)
{
    char mark = MARK;
    struct iovec data = {&mark, 1};
    union left_control control = {0};
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = CMSG_SPACE(count * sizeof *fds)};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);

    if (header == NULL) {
        return false; /* there is room for one; the analyzer doesn't know */
    }
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(count * sizeof *fds);
    memcpy(CMSG_DATA(header), fds, count * sizeof *fds);
    return sendmsg(message_fd, &message, MSG_NOSIGNAL) == 1;
}

bool handover_leave(int listen_fd, int fd, const struct buf *buffered)
{
    int fds[LEFT_FDS_MAX] = {fd, -1};
    int message_fd = connect_to(listen_fd);

    if (message_fd < 0) {
        return false;
    }
    bool has_file = buffered->length > 0;
    if (has_file) {
        fds[1] = file_of(buffered);
    }
    bool is_left = (!has_file || fds[1] >= 0) && send_left(message_fd, fds, 1 + has_file);
    int failure = errno;
    if (fds[1] >= 0) {
        close(fds[1]);
    }
    close(message_fd);
    errno = failure;
    return is_left;
}

/* Stores the descriptors of the message in fds. The caller has set them to -1, which stays for
 * those that the message does not have. */
static bool receive_left(int message_fd, int fds[static LEFT_FDS_MAX])
{
    char mark = 0;
    struct iovec data = {&mark, 1};
    union left_control control;
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};

    if (recvmsg(message_fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) != 1) {
        return false;
    }
    const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header != NULL && header->cmsg_type == SCM_RIGHTS) {
        memcpy(fds, CMSG_DATA(header), header->cmsg_len - CMSG_LEN(0));
    }
    return mark == MARK && fds[0] >= 0;
}

static bool is_connection(int fd)
{
    int type = 0, is_listening = 1;
    socklen_t size = sizeof(int);

    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM &&
           getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &size) == 0 && !is_listening;
}

static void read_file(int fd, struct buf *bytes)
{
    static char room[FASTCGI_REQUEST_MAX];
    ssize_t length = pread(fd, room, sizeof room, 0);

    if (length > 0) {
        buf_append(bytes, room, (size_t)length);
    }
}

int handover_find(int message_fd, struct buf *buffered)
{
    int fds[LEFT_FDS_MAX] = {-1, -1};
    struct ucred sender;

    if (!peer_of(message_fd, &sender) || sender.uid != geteuid()) {
        return -1;
    }
    bool is_found = receive_left(message_fd, fds) && is_connection(fds[0]);
    if (is_found && fds[1] >= 0) {
        read_file(fds[1], buffered);
    }
    if (fds[1] >= 0) {
        close(fds[1]);
    }
    if (!is_found && fds[0] >= 0) {
        close(fds[0]);
        fds[0] = -1;
    }
    return fds[0];
}
