#include "http/fastcgi.h"

#include <errno.h>
#include <fcgiapp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/memory.h"
#include "http/framing.h"

struct fastcgi {
    FCGX_Request request;
    bool closes_after;   /* something of what the peer sent will stay unread */
    size_t stdin_length; /* bytes of body of the request that fastcgi_look saw */
    struct buf unsent;   /* of the answer, from unsent_at on */
    size_t unsent_at;
};

void fastcgi_setup(void)
{
    static const int taken[] = {SIGTERM, SIGUSR1, SIGPIPE};
    struct sigaction saved[3];

    /* FCGX_Init installs handlers of its own for these. */
    for (size_t i = 0; i < 3; i++) {
        sigaction(taken[i], NULL, &saved[i]);
    }
    FCGX_Init();
    for (size_t i = 0; i < 3; i++) {
        sigaction(taken[i], &saved[i], NULL);
    }
}

struct fastcgi *fastcgi_open(int fd)
{
    struct fastcgi *connection = memory_zeroed(sizeof *connection);
    struct timeval patience = {.tv_sec = 1};
    int buffer = 2 * FASTCGI_REQUEST_MAX;

    /* Never waited for, as every request is there before it is read: this only bounds a bug. */
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);

    /* A listening socket of -1: an EOF can never make libfcgi fall into accept. */
    FCGX_InitRequest(&connection->request, -1, 0);
    connection->request.ipcFd = fd;
    connection->request.keepConnection = 1; /* else FCGX_Accept_r closes the descriptor first */
    return connection;
}

int fastcgi_fd(const struct fastcgi *connection)
{
    return connection->request.ipcFd;
}

static ssize_t peek(int fd, unsigned char *bytes, size_t size)
{
    ssize_t got;

    do {
        got = recv(fd, bytes, size, MSG_PEEK | MSG_DONTWAIT);
    } while (got < 0 && errno == EINTR);
    return got;
}

enum fastcgi_state fastcgi_look(struct fastcgi *connection, size_t body_max, bool *answerable)
{
    static unsigned char bytes[FASTCGI_REQUEST_MAX];
    struct framing_view view;
    ssize_t got = peek(connection->request.ipcFd, bytes, sizeof bytes);

    *answerable = false;
    if (got < 0) {
        return errno == EAGAIN || errno == EWOULDBLOCK ? FASTCGI_IDLE : FASTCGI_GONE;
    }
    if (got == 0) {
        return FASTCGI_GONE;
    }
    enum framing framing = framing_scan(bytes, (size_t)got, &view);
    *answerable = view.params_complete;
    switch (framing) {
    case FRAMING_COMPLETE:
        /* Bytes left behind would be taken for the next request's. */
        connection->closes_after = (size_t)got > view.length || view.stdin_length > body_max;
        connection->stdin_length = view.stdin_length;
        return FASTCGI_READY;
    case FRAMING_INCOMPLETE:
        if (view.params_complete && view.stdin_length > body_max) {
            return FASTCGI_OVERSIZE;
        }
        return (size_t)got < sizeof bytes ? FASTCGI_PARTIAL : FASTCGI_GONE;
    case FRAMING_INVALID:
        break;
    }
    return FASTCGI_GONE;
}

char **fastcgi_begin(struct fastcgi *connection)
{
    /* Without this a failing FCGX_Accept_r would linger in close for 2 s. */
    connection->request.detached = 1;
    if (FCGX_Accept_r(&connection->request) != 0) {
        return NULL;
    }
    return connection->request.envp;
}

const char *fastcgi_body(struct fastcgi *connection, struct arena *arena, size_t max,
                         size_t *length)
{
    max = connection->stdin_length < max ? connection->stdin_length : max;
    char *body = arena_alloc(arena, max + 1);
    int got = FCGX_GetStr(body, (int)max, connection->request.in);

    *length = got > 0 ? (size_t)got : 0;
    FCGX_GetChar(connection->request.in); /* takes the end of the body out of the socket */
    body[*length] = '\0';
    return body;
}

void fastcgi_give_up(struct fastcgi *connection)
{
    connection->closes_after = true;
}

enum fastcgi_sent fastcgi_send_rest(struct fastcgi *connection)
{
    struct buf *unsent = &connection->unsent;

    while (connection->unsent_at < unsent->length) {
        ssize_t sent = send(connection->request.ipcFd, unsent->bytes + connection->unsent_at,
                            unsent->length - connection->unsent_at, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (sent < 0 && errno != EINTR) {
            return errno == EAGAIN || errno == EWOULDBLOCK ? FASTCGI_UNSENT : FASTCGI_BROKEN;
        }
        connection->unsent_at += sent > 0 ? (size_t)sent : 0;
    }
    buf_release(unsent);
    connection->unsent_at = 0;
    return FASTCGI_SENT;
}

/* The usual case: everything in one record and one system call. */
static enum fastcgi_sent send_at_once(struct fastcgi *connection, struct iovec *parts, size_t count)
{
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};
    ssize_t sent = sendmsg(connection->request.ipcFd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);

    if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
        return FASTCGI_BROKEN;
    }
    size_t passed = sent > 0 ? (size_t)sent : 0;
    for (size_t i = 0; i < count; i++) {
        size_t skip = passed < parts[i].iov_len ? passed : parts[i].iov_len;

        if (skip < parts[i].iov_len) {
            buf_append(&connection->unsent, (const char *)parts[i].iov_base + skip,
                       parts[i].iov_len - skip);
        }
        passed -= skip;
    }
    return connection->unsent.length > 0 ? FASTCGI_UNSENT : FASTCGI_SENT;
}

static void keep(struct fastcgi *connection, unsigned id, const char *bytes, size_t length)
{
    unsigned char header[FRAMING_HEADER];

    for (size_t at = 0, some; at < length; at += some) {
        some = length - at < FRAMING_CONTENT_MAX ? length - at : FRAMING_CONTENT_MAX;
        framing_output(header, id, some);
        buf_append(&connection->unsent, (const char *)header, sizeof header);
        buf_append(&connection->unsent, bytes + at, some);
    }
}

enum fastcgi_sent fastcgi_answer(struct fastcgi *connection, const char *head, size_t head_length,
                                 const char *body, size_t body_length)
{
    unsigned id = (unsigned)connection->request.requestId;
    unsigned char header[FRAMING_HEADER], end[FRAMING_END];

    FCGX_Free(&connection->request, 0); /* libfcgi is done with this request; the socket stays */
    framing_end(end, id);
    if (head_length + body_length > FRAMING_CONTENT_MAX) {
        keep(connection, id, head, head_length);
        keep(connection, id, body, body_length);
        buf_append(&connection->unsent, (const char *)end, sizeof end);
        return fastcgi_send_rest(connection);
    }
    framing_output(header, id, head_length + body_length);
    struct iovec parts[] = {{header, sizeof header},
                            {(void *)(uintptr_t)head, head_length},
                            {(void *)(uintptr_t)body, body_length},
                            {end, sizeof end}};
    return send_at_once(connection, parts, sizeof parts / sizeof parts[0]);
}

bool fastcgi_is_kept(const struct fastcgi *connection)
{
    return connection->request.keepConnection && !connection->closes_after;
}

void fastcgi_close(struct fastcgi *connection)
{
    connection->request.detached = 1; /* else libfcgi would linger */
    FCGX_Free(&connection->request, 1);
    buf_release(&connection->unsent);
    memory_free(connection);
}
