/* Open connections that a worker passes on to another one. */
#include "shared/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "http/fastcgi.h"
#include "unit.h"

static struct handover queue;

static int open_queue(void **state)
{
    (void)state;
    return handover_open(&queue) ? 0 : -1;
}

static int close_queue(void **state)
{
    (void)state;
    close(queue.give);
    return close(queue.take);
}

/* A connection: [0] is the peer's end. */
static void connect_pair(int pair[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
}

static const struct buf nothing;
static struct buf arrived;

static void expect_bytes(int fd, const char *wanted)
{
    char bytes[64] = "";

    assert_int_equal(recv(fd, bytes, sizeof bytes - 1, MSG_DONTWAIT), strlen(wanted));
    expect_text("bytes", bytes, wanted);
}

static void test_passes_with_its_unread_bytes(void **state)
{
    int pair[2];

    (void)state;
    connect_pair(pair);
    assert_int_equal(write(pair[0], "half a requ", 11), 11);
    assert_true(handover_give(&queue, pair[1], &nothing, 0));
    close(pair[1]); /* the giver's copy */
    assert_int_equal(write(pair[0], "est", 3), 3);
    int taken = handover_take(&queue, &arrived);
    assert_true(taken >= 0);
    assert_true(fcntl(taken, F_GETFD) & FD_CLOEXEC);
    expect_bytes(taken, "half a request");
    assert_int_equal(write(taken, "answer", 6), 6);
    expect_bytes(pair[0], "answer");
    close(taken);
    /* No other descriptor is open for it: the peer sees the end. */
    assert_int_equal(recv(pair[0], &(char){0}, 1, MSG_DONTWAIT), 0);
    close(pair[0]);
}

/* The bytes that the giver has read are passed on too, up to the size of a request. */
static void test_passes_what_was_taken(void **state)
{
    static const size_t lengths[] = {1, 4096, FASTCGI_REQUEST_MAX - 1};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        struct buf given = {0}, got = {0};
        int pair[2];

        connect_pair(pair);
        for (size_t at = 0; at < lengths[i]; at++) {
            buf_char(&given, (char)(at * 7));
        }
        assert_true(handover_give(&queue, pair[1], &given, 0));
        close(pair[1]);
        int taken = handover_take(&queue, &got);
        assert_true(taken >= 0);
        assert_int_equal(got.length, lengths[i]);
        assert_memory_equal(got.bytes, given.bytes, lengths[i]);
        close(taken);
        close(pair[0]);
        buf_release(&given);
        buf_release(&got);
    }
}

static void test_in_order(void **state)
{
    enum { CONNECTIONS = 8 };
    int peers[CONNECTIONS];

    (void)state;
    for (int i = 0; i < CONNECTIONS; i++) {
        int pair[2];

        connect_pair(pair);
        peers[i] = pair[0];
        assert_int_equal(write(pair[0], &(char){(char)('a' + i)}, 1), 1);
        assert_true(handover_give(&queue, pair[1], &nothing, 0));
        close(pair[1]);
    }
    for (int i = 0; i < CONNECTIONS; i++) {
        int taken = handover_take(&queue, &arrived);

        expect_bytes(taken, (char[]){(char)('a' + i), '\0'});
        close(taken);
        close(peers[i]);
    }
}

static void test_nothing_waits(void **state)
{
    (void)state;
    assert_int_equal(handover_take(&queue, &arrived), -1);
}

static void test_no_descriptor(void **state)
{
    (void)state;
    assert_false(handover_give(&queue, -1, &nothing, 0));
    assert_int_equal(handover_take(&queue, &arrived), -1);
}

static void test_full_queue(void **state)
{
    int pair[2];
    int given = 0, taken;

    (void)state;
    connect_pair(pair);
    while (handover_give(&queue, pair[1], &nothing, 1)) {
        given++;
        assert_true(given < 100000);
    }
    assert_true(given > 0);
    while ((taken = handover_take(&queue, &arrived)) >= 0) {
        given--;
        close(taken);
    }
    assert_int_equal(given, 0); /* all that was given was taken, and nothing that was refused */
    close(pair[0]);
    close(pair[1]);
}

static void test_between_processes(void **state)
{
    int pair[2], status;

    (void)state;
    connect_pair(pair);
    pid_t leaver = fork();
    assert_true(leaver >= 0);
    if (leaver == 0) {
        _exit(handover_give(&queue, pair[1], &nothing, 1000) ? 0 : 1);
    }
    close(pair[1]);
    assert_int_equal(waitpid(leaver, &status, 0), leaver);
    assert_int_equal(status, 0);
    int taken = handover_take(&queue, &arrived);
    assert_int_equal(write(pair[0], "still open", 10), 10);
    expect_bytes(taken, "still open");
    close(taken);
    close(pair[0]);
}

/* --- left in the queue of a listening socket --- */

/* A listening socket without a path. */
static int listen_somewhere(int family, int backlog)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const struct sockaddr any = {.sa_family = (sa_family_t)family};

    /* A unix socket that is bound to a family alone gets an abstract name (unix(7)), a TCP one a port. */
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, &any, family == AF_UNIX ? sizeof(sa_family_t) : sizeof any), 0);
    assert_int_equal(listen(fd, backlog), 0);
    return fd;
}

static void test_left_for_the_next_server(void **state)
{
    static const char *const rows[] = {"", "half a requ"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int pair[2], listening = listen_somewhere(AF_UNIX, 8);
        struct buf taken_out = {0}, found = {0};

        connect_pair(pair);
        buf_text(&taken_out, rows[i]);
        assert_true(handover_leave(listening, pair[1], &taken_out));
        close(pair[1]);
        assert_int_equal(write(pair[0], "est", 3), 3);
        int message = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
        int fd = handover_find(message, &found);
        assert_true(fd >= 0);
        assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
        expect_text("taken out", found.bytes != NULL ? found.bytes : "", rows[i]);
        expect_bytes(fd, "est");
        buf_release(&taken_out);
        buf_release(&found);
        close(message);
        close(fd);
        close(pair[0]);
        close(listening);
    }
}

static void test_nowhere_to_leave_it(void **state)
{
    int pair[2], tcp = listen_somewhere(AF_INET, 8), full = listen_somewhere(AF_UNIX, 0);

    (void)state;
    connect_pair(pair);
    assert_false(handover_leave(tcp, pair[1], &nothing));
    while (handover_leave(full, pair[1], &nothing)) {
        /* until the queue is full */
    }
    assert_int_equal(errno, EAGAIN);
    close(full);
    assert_false(handover_leave(full, pair[1], &nothing));
    expect("open", fcntl(pair[1], F_GETFD) >= 0);
    close(tcp);
    close(pair[0]);
    close(pair[1]);
}

static void test_nothing_is_left(void **state)
{
    int pair[2];
    struct buf found = {0};

    (void)state;
    connect_pair(pair);
    expect_integer("empty", handover_find(pair[1], &found), -1);
    assert_int_equal(write(pair[0], "c", 1), 1);
    expect_integer("without a descriptor", handover_find(pair[1], &found), -1);
    close(pair[0]);
    expect_integer("closed", handover_find(pair[1], &found), -1);
    close(pair[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_passes_with_its_unread_bytes, open_queue, close_queue),
        cmocka_unit_test_setup_teardown(test_passes_what_was_taken, open_queue, close_queue),
        cmocka_unit_test_setup_teardown(test_in_order, open_queue, close_queue),
        cmocka_unit_test_setup_teardown(test_nothing_waits, open_queue, close_queue),
        cmocka_unit_test_setup_teardown(test_no_descriptor, open_queue, close_queue),
        cmocka_unit_test_setup_teardown(test_full_queue, open_queue, close_queue),
        cmocka_unit_test_setup_teardown(test_between_processes, open_queue, close_queue),
        cmocka_unit_test(test_left_for_the_next_server),
        cmocka_unit_test(test_nowhere_to_leave_it),
        cmocka_unit_test(test_nothing_is_left),
    };

    return cmocka_run_group_tests_name("handover", tests, NULL, NULL);
}
