#include "daemon/handover.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "http/fastcgi.h"

/* Room for one descriptor, aligned as a control message must be. */
union control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
};

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

bool handover_give(const struct handover *handover, int fd, const struct buf *arrived,
                   int timeout_ms)
{
    char mark = 'c'; /* a message without a byte would be the end of the queue */
    struct iovec data[] = {{&mark, 1}, {arrived->bytes, arrived->length}};
    union control control = {0};
    struct msghdr message = {.msg_iov = data,
                             .msg_iovlen = 2,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    struct pollfd room = {.fd = handover->give, .events = POLLOUT};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);

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

int handover_take(const struct handover *handover, struct buf *arrived)
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
        buf_append(arrived, bytes, (size_t)got - 1);
    }
    const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header != NULL && header->cmsg_type == SCM_RIGHTS) {
        memcpy(&fd, CMSG_DATA(header), sizeof fd);
    }
    return fd;
}
