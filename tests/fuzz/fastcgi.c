/* What a peer sends in two pieces, libfcgi's part of it too: each request that is taken has parameters and a body
 * within its bounds, and is answered; the connection ends in one of its states. */
#include "http/fastcgi.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"
#include "fuzz.h"
#include "http/request.h"

enum { BODY_MAX = 1024, REQUESTS_MAX = 64 };

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
        static const char head[] = "Status: 200\r\n\r\n";
        (void)fastcgi_answer(connection, head, sizeof head - 1, body, length);
    }
    arena_release(&arena);
}

/* Until the connection waits for more, or is to be closed; false then. */
static bool proceed(struct fastcgi *connection, int peer)
{
    for (int i = 0; i < REQUESTS_MAX; i++) {
        char answer[65536];
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
        case FASTCGI_GONE:
            return false;
        }
        while (recv(peer, answer, sizeof answer, MSG_DONTWAIT) > 0) {
        }
        if (!fastcgi_is_reusable(connection)) {
            return false;
        }
    }
    return true;
}

static void send_all(int peer, const uint8_t *data, size_t size)
{
    ssize_t sent = size > 0 ? send(peer, data, size, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;

    MUST(size == 0 || sent <= (ssize_t)size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool is_set_up;
    int sockets[2];

    if (!is_set_up) {
        signal(SIGPIPE, SIG_IGN);
        fastcgi_setup();
        is_set_up = true;
    }
    if (size == 0) {
        return 0;
    }
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0);
    struct fastcgi *connection = fastcgi_open(sockets[0], &(struct buf){0});
    size_t first = (size - 1) * data[0] / 255;
    send_all(sockets[1], data + 1, first);
    if (proceed(connection, sockets[1])) {
        send_all(sockets[1], data + 1 + first, size - 1 - first);
        if (proceed(connection, sockets[1])) {
            shutdown(sockets[1], SHUT_WR);
            (void)proceed(connection, sockets[1]);
        }
    }
    fastcgi_close(connection);
    close(sockets[1]);
    return 0;
}
