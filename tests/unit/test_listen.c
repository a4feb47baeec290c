/* The listening socket: ours, or one that was handed over. */
#include "master/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "capture.h"
#include "config/config.h"
#include "scratch.h"
#include "unit.h"

static struct scratch scratch;
static char address[128]; /* unix:/…/socket */
static const char *path;
static int standard_input;

/* fd 0 is /dev/null during a test: the tests may have been started with a socket there. */
static int set_up(void **state)
{
    (void)state;
    int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);

    scratch_open(&scratch);
    snprintf(address, sizeof address, "unix:%s/socket", scratch.dir);
    path = address + strlen("unix:");
    standard_input = dup(STDIN_FILENO);
    log_setup(LOG_ERROR, LOG_FORMAT_TEXT);
    return dup2(nothing, STDIN_FILENO) == 0 ? close(nothing) : -1;
}

static int tear_down(void **state)
{
    (void)state;
    scratch_close(&scratch);
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_PID");
    return dup2(standard_input, STDIN_FILENO) == 0 ? close(standard_input) : -1;
}

static struct config config_for(const char *listen)
{
    return (struct config){.listen = (char *)(uintptr_t)listen, .listen_mode = 0660, .backlog = 4};
}

/* A connection to the socket at path, or -1. flags: further flags for socket(2). */
static int connect_with(int flags)
{
    struct sockaddr_un peer = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

    memcpy(peer.sun_path, path, strlen(path));
    if (connect(fd, (const struct sockaddr *)&peer, sizeof peer) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static void expect_refused(const struct config *config, const char *wanted)
{
    const char *label = config->listen != NULL ? config->listen : "none";
    struct buf said = {0};
    struct listener listener;

    capture_start();
    bool good = listen_open(config, &listener);
    size_t lines = capture_stop(&said);
    expect(label, !good);
    expect_integer(label, (long long)lines, 1);
    expect_within(label, said.bytes, wanted);
    assert_int_equal(listener.fd, -1);
    buf_release(&said);
}

static void test_unix_socket(void **state)
{
    struct config config = config_for(address);
    struct listener listener;
    struct stat about;

    (void)state;
    assert_true(listen_open(&config, &listener));
    assert_true(fcntl(listener.fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(listener.fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 07777, 0660);
    int peer = connect_with(0);
    assert_true(peer >= 0);
    int accepted = accept(listener.fd, NULL, NULL);
    assert_true(accepted >= 0);
    assert_int_equal(accept(listener.fd, NULL, NULL), -1);
    assert_int_equal(errno, EAGAIN);
    close(accepted);
    close(peer);
    listen_close(&listener);
    assert_int_equal(listener.fd, -1);
    assert_int_equal(stat(path, &about), -1);
}

static void test_mode_and_group(void **state)
{
    struct config config = config_for(address);
    const struct group *own = getgrgid(getegid());
    struct listener listener;
    struct stat about;

    (void)state;
    if (own == NULL) {
        skip();
    }
    config.listen_mode = 0600;
    config.listen_group = own->gr_name;
    assert_true(listen_open(&config, &listener));
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 07777, 0600);
    assert_int_equal(about.st_gid, getegid());
    listen_close(&listener);
}

static void test_unknown_group(void **state)
{
    char group[] = "no-such-group-here";
    struct config config = config_for(address);

    (void)state;
    config.listen_group = group;
    expect_refused(&config, "no group no-such-group-here");
    assert_int_equal(access(path, F_OK), -1); /* nothing is left behind */
}

static void test_dead_socket_is_replaced(void **state)
{
    struct config config = config_for(address);
    struct listener dead, listener;

    (void)state;
    assert_true(listen_open(&config, &dead));
    close(dead.fd); /* as after kill -9: the file stays */
    assert_true(listen_open(&config, &listener));
    int peer = connect_with(0);
    assert_true(peer >= 0);
    close(peer);
    listen_close(&listener);
    free(dead.unlink_path);
}

static void test_living_socket_is_not(void **state)
{
    struct config config = config_for(address);
    struct listener first;

    (void)state;
    assert_true(listen_open(&config, &first));
    expect_refused(&config, "Address already in use");
    int peer = connect_with(0);
    assert_true(peer >= 0);
    close(peer);
    listen_close(&first);
}

/* A server that runs but is too busy to accept: a connect(2) would block. */
static void test_full_socket_is_not(void **state)
{
    struct config config = config_for(address);
    struct listener first;
    int peers[8], count = 0, status;

    (void)state;
    config.backlog = 1;
    assert_true(listen_open(&config, &first));
    while (count < 7 && (peers[count] = connect_with(SOCK_NONBLOCK)) >= 0) {
        count++;
    }
    assert_in_range(count, 1, 6);
    pid_t second = fork();
    if (second == 0) {
        struct listener listener;

        alarm(2);
        log_setup(LOG_ERROR, LOG_FORMAT_JSON);
        close(STDERR_FILENO);
        _exit(listen_open(&config, &listener) ? 1 : 0);
    }
    assert_int_equal(waitpid(second, &status, 0), second);
    assert_int_equal(status, 0); /* refused, at once */
    assert_int_equal(access(path, F_OK), 0);
    while (count > 0) {
        close(peers[--count]);
    }
    listen_close(&first);
}

static void test_other_files_are_not_touched(void **state)
{
    struct config config = config_for(address);

    (void)state;
    scratch_text(&scratch, "socket", "precious");
    expect_refused(&config, "Address already in use");
    assert_int_equal(access(path, R_OK), 0);
}

static void test_addresses_refused(void **state)
{
    static const char *const rows[] = {
        "/run/x",
        "unix:",
        "unix:relative",
        "tcp:",
        "tcp:9000",
        "tcp::9000",
        "udp:127.0.0.1:9000",
        "unix:/nowhere/at/all/x",
        "tcp:127.0.0.1:nonsense",
        "tcp:127.0.0.1:",
    };
    char too_long[256] = "unix:/";

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct config config = config_for(rows[i]);

        expect_refused(&config, "listen");
    }
    memset(too_long + 6, 'x', 107);
    struct config config = config_for(too_long);
    expect_refused(&config, "at most 107 bytes");
}

/* An address of the loopback with a port that the kernel chooses. */
static void expect_tcp(const char *to, int family)
{
    struct config config = config_for(to);
    struct sockaddr_storage bound;
    socklen_t size = sizeof bound;
    struct listener listener;

    assert_true(listen_open(&config, &listener));
    assert_int_equal(getsockname(listener.fd, (struct sockaddr *)&bound, &size), 0);
    assert_int_equal(bound.ss_family, family);
    assert_null(listener.unlink_path);
    listen_close(&listener);
}

static bool has_ipv6(void)
{
    struct sockaddr_in6 loopback = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool bound = fd >= 0 && bind(fd, (const struct sockaddr *)&loopback, sizeof loopback) == 0;

    if (fd >= 0) {
        close(fd);
    }
    return bound;
}

static void test_tcp(void **state)
{
    (void)state;
    expect_tcp("tcp:127.0.0.1:0", AF_INET);
    if (has_ipv6()) {
        expect_tcp("tcp:[::1]:0", AF_INET6);
    }
}

/* Puts a listening socket on a descriptor. */
static void hand_over(int fd)
{
    struct sockaddr_un own = {.sun_family = AF_UNIX};
    int made = socket(AF_UNIX, SOCK_STREAM, 0);

    memcpy(own.sun_path, path, strlen(path));
    assert_int_equal(bind(made, (const struct sockaddr *)&own, sizeof own), 0);
    assert_int_equal(listen(made, 4), 0);
    if (made != fd) {
        assert_int_equal(dup2(made, fd), fd);
        close(made);
    }
}

static void test_standard_input(void **state)
{
    struct config config = config_for(NULL);
    struct listener listener;

    (void)state;
    assert_false(listen_is_handed_over());
    expect_refused(&config, "nothing to listen on");
    hand_over(STDIN_FILENO);
    assert_true(listen_is_handed_over());
    config.listen = address;
    expect_refused(&config, "contradict");
    config.listen = NULL;
    assert_true(listen_open(&config, &listener));
    assert_true(listener.fd > STDIN_FILENO);
    assert_false(listen_is_handed_over()); /* fd 0 is /dev/null now */
    int peer = connect_with(0);
    assert_true(peer >= 0);
    close(peer);
    listen_close(&listener);
    assert_int_equal(access(path, F_OK), 0); /* the process that made it removes it */
}

static void pretend_systemd(const char *count, long pid)
{
    char number[32];

    snprintf(number, sizeof number, "%ld", pid);
    setenv("LISTEN_FDS", count, 1);
    setenv("LISTEN_PID", number, 1);
}

static void test_systemd(void **state)
{
    struct config config = config_for(NULL);
    struct listener listener;
    int third = dup(3); /* whatever the tests' own fd 3 is */

    (void)state;
    hand_over(3);
    pretend_systemd("1", getpid() + 1L);
    assert_false(listen_is_handed_over()); /* meant for another process */
    pretend_systemd("2", getpid());
    assert_true(listen_is_handed_over());
    expect_refused(&config, "2 sockets instead of one");
    pretend_systemd("1", getpid());
    assert_true(listen_open(&config, &listener));
    assert_int_equal(listener.fd, 3);
    assert_true(fcntl(3, F_GETFD) & FD_CLOEXEC);
    assert_null(getenv("LISTEN_FDS")); /* not for our children */
    assert_null(getenv("LISTEN_PID"));
    listen_close(&listener);
    if (third >= 0) {
        dup2(third, 3);
        close(third);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_unix_socket, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_mode_and_group, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_unknown_group, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_dead_socket_is_replaced, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_living_socket_is_not, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_full_socket_is_not, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_other_files_are_not_touched, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_addresses_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_tcp, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_standard_input, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_systemd, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("listen", tests, NULL, NULL);
}
