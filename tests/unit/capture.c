#include "capture.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit.h"

enum { WRITE_MAX = 64 * 1024 };

static int reading = -1;
static int original = -1;

void capture_start(void)
{
    int pair[2];

    fflush(stderr);
    /* A socket that keeps the bounds of messages, so that each write is received by itself. */
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    original = dup(STDERR_FILENO);
    assert_true(original >= 0);
    assert_true(dup2(pair[1], STDERR_FILENO) >= 0);
    close(pair[1]);
    reading = pair[0];
}

size_t capture_stop(struct buf *text)
{
    static char bytes[WRITE_MAX];
    size_t writes = 0;
    ssize_t got;

    fflush(stderr);
    dup2(original, STDERR_FILENO);
    close(original);
    while ((got = recv(reading, bytes, sizeof bytes, MSG_DONTWAIT)) > 0) {
        buf_append(text, bytes, (size_t)got);
        writes++;
    }
    close(reading);
    return writes;
}
