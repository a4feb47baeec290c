/* A peer's bytes in two pieces, also through libfcgi's part. Each request that is taken has
 * parameters and a body within their bounds, and is answered; the connection ends in one of its
 * states. The input's first byte says where the bytes are cut, the second how requests are
 * answered, and whether another worker takes the connection over between the pieces. */
#include "http/fastcgi.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"
#include "fuzz.h"
#include "http/request.h"

enum {
    BODY_MAX = 1024,
    REQUESTS_MAX = 64,
    SEND_BUFFER = 24000, /* bytes, of the kernel; a large answer is sent in parts */
    LARGE = 70000,       /* bytes, more than a record has */
    HAND_OVER = 8,
    MODES = 8
};

static const char HEAD[] = "Status: 200\r\n\r\n";
static int peer;
static uint8_t mode;

static void read_answers(void)
{
    static char answer[65536];

    while (recv(peer, answer, sizeof answer, MSG_DONTWAIT) > 0) {
    }
}

/* Sends the rest of an answer, and reads it at the peer meanwhile. */
static void send_rest(struct fastcgi *connection, enum fastcgi_sent sent)
{
    while (sent == FASTCGI_UNSENT) {
        read_answers();
        sent = fastcgi_send_rest(connection);
    }
}

/* An answer in parts, as a stream of events is sent. */
static void stream(struct fastcgi *connection, const char *body, size_t length)
{
    send_rest(connection, fastcgi_begin_stream(connection, HEAD, sizeof HEAD - 1, body, length));
    send_rest(connection, fastcgi_send_part(connection, body, length));
    send_rest(connection, fastcgi_end(connection));
}

static void answer(struct fastcgi *connection, const char *body, size_t length)
{
    static const char large[LARGE];

    switch (mode % MODES) {
    case 1:
        send_rest(connection, fastcgi_answer(connection, HEAD, sizeof HEAD - 1, large, LARGE));
        break;
    case 2:
        fastcgi_give_up(connection);
        send_rest(connection, fastcgi_answer(connection, HEAD, sizeof HEAD - 1, body, length));
        break;
    case 3:
        stream(connection, body, length);
        break;
    case 4:
        fastcgi_end(connection);
        break;
    default:
        send_rest(connection, fastcgi_answer(connection, HEAD, sizeof HEAD - 1, body, length));
    }
}

static void serve(struct fastcgi *connection)
{
    struct arena arena = {0};
    struct request request;
    size_t length;
    char **parameters = fastcgi_begin(connection);

    if (parameters != NULL) {
        for (char **parameter = parameters; *parameter != NULL; parameter++) {
            MUST(strlen(*parameter) <= FASTCGI_REQUEST_MAX);
        }
        (void)request_init(&request, &arena, parameters);
        const char *body = fastcgi_body(connection, &arena, BODY_MAX, &length);
        MUST(length <= BODY_MAX && body[length] == '\0');
        (void)fastcgi_poll_abort(connection);
        answer(connection, body, length);
    }
    arena_release(&arena);
}

/* Serves requests until the connection waits for more bytes. False: it is to be closed. */
static bool proceed(struct fastcgi *connection)
{
    for (int i = 0; i < REQUESTS_MAX; i++) {
        bool answerable;

        switch (fastcgi_poll(connection, BODY_MAX, &answerable)) {
        case FASTCGI_READY:
            serve(connection);
            break;
        case FASTCGI_IDLE:
        case FASTCGI_PARTIAL:
            return true;
        case FASTCGI_OVERSIZE:
        case FASTCGI_REFUSED:
            if (fastcgi_begin_closing(connection)) {
                (void)fastcgi_discard(connection);
            }
            return false;
        case FASTCGI_FOREIGN:
        case FASTCGI_GONE:
            return false;
        }
        read_answers();
        if (!fastcgi_is_reusable(connection)) {
            return false;
        }
    }
    return true;
}

static void send_all(const uint8_t *data, size_t size)
{
    ssize_t sent = size > 0 ? send(peer, data, size, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;

    MUST(size == 0 || sent <= (ssize_t)size);
}

/* Another worker gets the socket, and the bytes that were already read from it. */
static struct fastcgi *hand_over(struct fastcgi *connection)
{
    struct buf buffered = {0};
    int fd = dup(fastcgi_fd(connection));

    fastcgi_buffered(connection, &buffered);
    fastcgi_close(connection);
    connection = fastcgi_open(fd, &buffered);
    MUST(fastcgi_has_more(connection) == (buffered.length > 0));
    buf_release(&buffered);
    return connection;
}

FUZZ_TARGET(fastcgi)
{
    static bool is_set_up;
    int sockets[2];

    if (!is_set_up) {
        signal(SIGPIPE, SIG_IGN);
        fastcgi_setup();
        is_set_up = true;
    }
    if (size < 2) {
        return 0;
    }
    const int buffer = SEND_BUFFER;
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0);
    MUST(setsockopt(sockets[0], SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer) == 0);
    struct fastcgi *connection = fastcgi_open(sockets[0], &(struct buf){0});
    peer = sockets[1];
    mode = data[1];
    size_t first = (size - 2) * data[0] / 255;
    send_all(data + 2, first);
    if (proceed(connection)) {
        connection = (mode & HAND_OVER) != 0 ? hand_over(connection) : connection;
        send_all(data + 2 + first, size - 2 - first);
        if (proceed(connection)) {
            shutdown(peer, SHUT_WR);
            (void)proceed(connection);
        }
    }
    fastcgi_close(connection);
    close(peer);
    return 0;
}
