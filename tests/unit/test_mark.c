/* The watcher's sleep. A child is the watcher. */
#include "home/mark.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "unit.h"

enum { PATIENCE_MS = 20000, PAUSE_MS = 50 };

static const struct timespec PAUSE = {.tv_nsec = PAUSE_MS * 1000000L};

static struct mark *mark;

static pid_t begin_rest(void)
{
    mark = mark_new();
    assert_non_null(mark);
    pid_t pid = fork();
    if (pid == 0) {
        mark_rest(mark);
        _exit(0);
    }
    assert_true(pid > 0);
    while (atomic_load(&mark->sleep) != MARK_RESTING) {
        nanosleep(&PAUSE, NULL);
    }
    nanosleep(&PAUSE, NULL); /* by now it has called the kernel */
    return pid;
}

static void expect_end(pid_t pid)
{
    int64_t end_ms = clock_ms() + PATIENCE_MS;
    int status;

    while (waitpid(pid, &status, WNOHANG) == 0) {
        if (clock_ms() > end_ms) {
            kill(pid, SIGKILL);
            fail_msg("the watcher sleeps on");
        }
        nanosleep(&PAUSE, NULL);
    }
    assert_int_equal(status, 0);
}

static void test_a_request_ends_the_rest(void **state)
{
    (void)state;
    pid_t pid = begin_rest();
    mark_request(mark, clock_us());
    expect_end(pid);
}

static void test_a_stream_ends_the_rest(void **state)
{
    (void)state;
    pid_t pid = begin_rest();
    mark_stream(mark, clock_us());
    expect_end(pid);
}

/* A worker was killed after it had stored that the watcher is awake, and before it woke it. */
static void test_a_wake_up_is_lost(void **state)
{
    (void)state;
    pid_t pid = begin_rest();
    atomic_store(&mark->requested_us, clock_us());
    atomic_store(&mark->sleep, MARK_AWAKE);
    mark_request(mark, clock_us());
    expect_end(pid);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_request_ends_the_rest),
        cmocka_unit_test(test_a_stream_ends_the_rest),
        cmocka_unit_test(test_a_wake_up_is_lost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
