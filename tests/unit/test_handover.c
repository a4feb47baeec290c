/* Open connections that change hands between workers. */
#include "daemon/handover.h"

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
    /* Nobody else holds it: the peer sees the end. */
    assert_int_equal(recv(pair[0], &(char){0}, 1, MSG_DONTWAIT), 0);
    close(pair[0]);
}

/* As much as a request may have, or less. */
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
    assert_int_equal(given, 0); /* what was given is there, what was refused isn't */
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
    };

    return cmocka_run_group_tests_name("handover", tests, NULL, NULL);
}
