/* Notifications to systemd. */
#include "master/systemd.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "scratch.h"
#include "unit.h"

/* A socket bound to a name of this length, "@" for the abstract namespace; sets NOTIFY_SOCKET. */
static int listen_as_systemd(const char *name)
{
    struct sockaddr_un own = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    memcpy(own.sun_path, name, strlen(name));
    if (*name == '@') {
        own.sun_path[0] = '\0';
    }
    assert_int_equal(bind(fd, (const struct sockaddr *)&own,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))),
                     0);
    setenv("NOTIFY_SOCKET", name, 1);
    return fd;
}

static void expect_word(const char *name)
{
    char word[64] = "";
    int fd = listen_as_systemd(name);

    systemd_notify("READY=1");
    recv(fd, word, sizeof word - 1, MSG_DONTWAIT);
    expect_text(name, word, "READY=1");
    close(fd);
}

static void test_word(void **state)
{
    struct scratch scratch = {.dir = ""};
    char abstract[64];

    (void)state;
    scratch_open(&scratch);
    expect_word(scratch_path(&scratch, "notify"));
    snprintf(abstract, sizeof abstract, "@cruddur-unit-%ld", (long)getpid());
    expect_word(abstract);
    scratch_close(&scratch);
}

static void test_nobody_listens(void **state)
{
    static const char *const names[] = {"", "/nowhere/at/all", "@nobody-of-this-name"};
    char too_long[200];

    (void)state;
    unsetenv("NOTIFY_SOCKET");
    systemd_notify("READY=1");
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        setenv("NOTIFY_SOCKET", names[i], 1);
        systemd_notify("READY=1");
    }
    memset(too_long, '/', sizeof too_long - 1);
    too_long[sizeof too_long - 1] = '\0';
    setenv("NOTIFY_SOCKET", too_long, 1);
    systemd_notify("READY=1");
}

static void test_watchdog(void **state)
{
    char pid[32];

    (void)state;
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    assert_int_equal(systemd_watchdog_ms(), 0);
    setenv("WATCHDOG_USEC", "30000000", 1);
    assert_int_equal(systemd_watchdog_ms(), 15000);
    snprintf(pid, sizeof pid, "%ld", (long)getpid());
    setenv("WATCHDOG_PID", pid, 1);
    assert_int_equal(systemd_watchdog_ms(), 15000);
    setenv("WATCHDOG_PID", "1", 1);
    assert_int_equal(systemd_watchdog_ms(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_word),
        cmocka_unit_test(test_nobody_listens),
        cmocka_unit_test(test_watchdog),
    };

    return cmocka_run_group_tests_name("notify", tests, NULL, NULL);
}
