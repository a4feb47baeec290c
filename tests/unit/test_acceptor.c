/* How workers share out new connections. The two or three workers are in this process, and the test
 * chooses which of them runs next. */
#include "worker/acceptor.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "shared/scoreboard.h"
#include "unit.h"
#include "worker/client.h"
#include "worker/worker.h"

enum { WORKERS = 3, MANY = 20, NEVER_MS = 1000000, GIVE_UP_MS = 300000 };

struct side {
    struct worker_setup setup;
    struct clients clients;
    struct acceptor acceptor;
};

static struct scoreboard *scoreboard;
static struct sockaddr_un address = {.sun_family = AF_UNIX};
static socklen_t address_size;
static int listener, peers[64], peer_count;
static struct side sides[WORKERS];

static int open_side(struct side *side, struct score *score)
{
    const struct worker_setup common = sides[0].setup;
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);

    *side = (struct side){.setup = common};
    side->setup.score = score;
    side->clients = (struct clients){.score = score, .epoll_fd = epoll_fd};
    side->acceptor =
        (struct acceptor){.setup = &side->setup, .clients = &side->clients, .epoll_fd = epoll_fd};
    score_set(score, WORKER_IDLE, NULL);
    return epoll_fd >= 0 && acceptor_open(&side->acceptor) ? 0 : -1;
}

static int set_up(void **state)
{
    int status;

    (void)state;
    scoreboard = scoreboard_new();
    scoreboard->slots_used = WORKERS;
    address_size = sizeof address.sun_family; /* the kernel chooses an abstract name */
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    status = bind(listener, (const struct sockaddr *)&address, address_size);
    address_size = sizeof address;
    getsockname(listener, (struct sockaddr *)&address, &address_size);
    status = status == 0 ? listen(listener, (int)COUNT_OF(peers)) : status;
    sides[0].setup = (struct worker_setup){.scoreboard = scoreboard, .listen_fd = listener};
    status = status == 0 && handover_open(&sides[0].setup.handover) ? 0 : -1;
    for (size_t i = 0; i < WORKERS && status == 0; i++) {
        status = open_side(&sides[i], &scoreboard->scores[i]);
    }
    return status;
}

static int tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < WORKERS; i++) {
        clients_close(&sides[i].clients);
        close(sides[i].clients.epoll_fd);
    }
    while (peer_count > 0) {
        close(peers[--peer_count]);
    }
    close(sides[0].setup.handover.give);
    close(sides[0].setup.handover.take);
    return close(listener);
}

/* Pretends that the worker has `count` connections. */
static void have(int worker, int count)
{
    atomic_store(&sides[worker].setup.score->open_connections, count);
}

static int connections_of(int worker)
{
    return atomic_load(&sides[worker].setup.score->open_connections);
}

static void expect_connections(const char *label, int first, int second, int third)
{
    expect_integer(label, connections_of(0), first);
    expect_integer(label, connections_of(1), second);
    expect_integer(label, connections_of(2), third);
}

static void connect_one(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(connect(fd, (const struct sockaddr *)&address, address_size), 0);
    peers[peer_count++] = fd;
}

/* Runs one round of the worker's loop. */
static void turn(int worker)
{
    struct epoll_event events[8];
    int count = epoll_wait(sides[worker].clients.epoll_fd, events, (int)COUNT_OF(events), 0);

    for (int i = 0; i < count; i++) {
        const struct watch *watch = events[i].data.ptr;

        watch->ready(watch->of, events[i].events);
    }
    acceptor_proceed(&sides[worker].acceptor);
}

static void test_one_that_is_not_ahead_keeps_it(void **state)
{
    (void)state;
    have(0, ACCEPTOR_AHEAD_MAX);
    connect_one();
    turn(0);
    turn(1);
    turn(2);
    expect_connections("kept", ACCEPTOR_AHEAD_MAX + 1, 0, 0);
}

static void test_one_that_is_ahead_passes_it_on(void **state)
{
    (void)state;
    have(0, ACCEPTOR_AHEAD_MAX + 1);
    connect_one();
    turn(0);
    sides[0].acceptor.state_end_ms = clock_ms() + NEVER_MS;
    turn(0);
    expect_connections("passed on", ACCEPTOR_AHEAD_MAX + 1, 0, 0);
    turn(1);
    expect_connections("taken", ACCEPTOR_AHEAD_MAX + 1, 1, 0);
    turn(2);
    expect_connections("once", ACCEPTOR_AHEAD_MAX + 1, 1, 0);
}

static void test_it_ends_at_the_one_with_fewest(void **state)
{
    (void)state;
    have(0, 2 * MANY);
    have(1, MANY);
    connect_one();
    turn(0);
    turn(1);
    expect_connections("passed on twice", 2 * MANY, MANY, 0);
    turn(2);
    expect_connections("taken", 2 * MANY, MANY, 1);
}

/* Starting and draining workers take no connections, although they have the fewest. */
static void test_others_that_take_none_do_not_count(void **state)
{
    (void)state;
    have(0, MANY);
    score_set(sides[1].setup.score, WORKER_STARTING, NULL);
    score_set(sides[2].setup.score, WORKER_DRAINING, NULL);
    connect_one();
    turn(0);
    expect_connections("kept", MANY + 1, 0, 0);
}

static void test_what_others_do_not_take_is_taken_back(void **state)
{
    int64_t began_ms = clock_ms();

    (void)state;
    have(0, MANY);
    connect_one();
    turn(0);
    expect_connections("passed on", MANY, 0, 0);
    assert_true(acceptor_wait_ms(&sides[0].acceptor) >= 0); /* the loop wakes up without an event */
    while (connections_of(0) == MANY) {
        assert_true(clock_ms() < began_ms + GIVE_UP_MS);
        turn(0);
    }
    assert_true(clock_ms() >= began_ms + ACCEPTOR_PATIENCE_MS);
    expect_connections("taken back", MANY + 1, 0, 0);
    assert_true(sides[0].acceptor.keeps_until_ms >=
                began_ms + ACCEPTOR_PATIENCE_MS + ACCEPTOR_KEEP_MS);
}

/* The test itself sets how long the worker keeps all, so that the result does not depend on the
 * speed of this machine. */
static void test_then_it_keeps_all_for_a_while(void **state)
{
    (void)state;
    have(0, MANY);
    sides[0].acceptor.keeps_until_ms = clock_ms() + NEVER_MS;
    connect_one();
    turn(0);
    expect_connections("kept", MANY + 1, 0, 0);
    sides[0].acceptor.keeps_until_ms = clock_ms();
    connect_one();
    turn(0);
    turn(1);
    expect_connections("passed on again", MANY + 1, 1, 0);
}

/* A connection in the handover queue is taken back however many new ones arrive. */
static void test_more_that_come_do_not_keep_it_waiting(void **state)
{
    int64_t began_ms = clock_ms();

    (void)state;
    have(0, MANY);
    connect_one();
    turn(0);
    expect_connections("passed on", MANY, 0, 0);
    while (handover_waits(&sides[0].setup.handover)) {
        assert_true(clock_ms() < began_ms + GIVE_UP_MS);
        if (peer_count < (int)COUNT_OF(peers)) {
            connect_one();
        }
        turn(0);
    }
    expect_connections("none waits", MANY + peer_count, 0, 0);
}

/* Pretends that the worker has `streams` connections with a stream, and `others` without one. */
static void have_streams(int worker, int streams, int others)
{
    have(worker, streams + others);
    atomic_store(&sides[worker].setup.score->streams.open, streams);
}

static void test_streams_are_shared_out(void **state)
{
    (void)state;
    have_streams(0, ACCEPTOR_STREAMS_AHEAD_MAX, 0);
    connect_one();
    turn(0);
    expect_connections("kept", ACCEPTOR_STREAMS_AHEAD_MAX + 1, 0, 0);
    have_streams(0, ACCEPTOR_STREAMS_AHEAD_MAX + 1, 0);
    connect_one();
    turn(0);
    turn(1);
    expect_connections("passed on", ACCEPTOR_STREAMS_AHEAD_MAX + 1, 1, 0);
}

/* Otherwise the worker with few streams would get all requests until it had as many streams as the
 * others. */
static void test_few_streams_draw_no_connections(void **state)
{
    (void)state;
    have_streams(0, MANY, 0);
    have_streams(1, 0, 1);
    have_streams(2, 0, 1);
    connect_one();
    turn(0);
    expect_connections("kept", MANY + 1, 1, 1);
    have_streams(0, 0, ACCEPTOR_AHEAD_MAX + 1);
    have_streams(1, MANY, 0);
    connect_one();
    turn(0);
    turn(1);
    expect_connections("passed on to one with many streams", ACCEPTOR_AHEAD_MAX + 1, MANY + 1, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_that_is_not_ahead_keeps_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_that_is_ahead_passes_it_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_streams_are_shared_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_few_streams_draw_no_connections, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_it_ends_at_the_one_with_fewest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_others_that_take_none_do_not_count, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_others_do_not_take_is_taken_back, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_then_it_keeps_all_for_a_while, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_more_that_come_do_not_keep_it_waiting, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests_name("acceptor", tests, NULL, NULL);
}
