#include "http/fastcgi.h"

#include <errno.h>
#include <fcgiapp.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/memory.h"
#include "http/framing.h"

struct fastcgi {
    FCGX_Request request;
    bool closes_after;   /* something of what the peer sent will stay unread */
    size_t stdin_length; /* bytes of body of the request that fastcgi_look saw */
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
    struct timeval patience = {.tv_sec = FASTCGI_SEND_TIMEOUT_MS / 1000};
    int buffer = 2 * FASTCGI_REQUEST_MAX;

    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
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

/* Whether the peer has closed its end for good (seen on unix sockets; a TCP peer may still read). It
 * has told its client that there was no answer: the request must not be run behind its back. */
static bool peer_is_gone(int fd)
{
    struct pollfd peer = {.fd = fd};

    return poll(&peer, 1, 0) > 0 && (peer.revents & (POLLHUP | POLLERR)) != 0;
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
        return peer_is_gone(connection->request.ipcFd) ? FASTCGI_GONE : FASTCGI_READY;
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
    body[*length] = '\0';
    return body;
}

void fastcgi_give_up(struct fastcgi *connection)
{
    connection->closes_after = true;
}

void fastcgi_send(struct fastcgi *connection, const char *bytes, size_t length)
{
    FCGX_PutStr(bytes, (int)length, connection->request.out);
}

bool fastcgi_finish(struct fastcgi *connection)
{
    if (connection->closes_after) {
        connection->request.keepConnection = 0;
    }
    if (FCGX_GetError(connection->request.out) != 0) {
        return false; /* the end of the request would wait for a deaf peer once more */
    }
    /* Closes the descriptor too when the connection isn't kept or broke. */
    FCGX_Finish_r(&connection->request);
    return connection->request.ipcFd >= 0;
}

void fastcgi_close(struct fastcgi *connection)
{
    connection->request.detached = 1;
    FCGX_Free(&connection->request, 1);
    memory_free(connection);
}
