/* A lower bound of the database server's clock. */
#include "db/server_clock.h"

#include "unit.h"

#define S INT64_C(1000000)
#define SERVER (INT64_C(1800000000) * S)

static void test_nothing_is_known_at_first(void **state)
{
    struct server_clock clock = {0};

    (void)state;
    assert_false(server_clock_is_recent(&clock, 0));
}

/* The server read its clock between the two times. The bound assumes that it was at the later one.
 * */
static void test_a_lower_bound(void **state)
{
    struct server_clock clock = {0};

    (void)state;
    server_clock_take(&clock, 10 * S, 11 * S, SERVER);
    assert_true(server_clock_at_least(&clock, 11 * S) <= SERVER);
    assert_in_range(SERVER + 2 * S - server_clock_at_least(&clock, 13 * S), 1, 2000);
}

static void test_the_better_sample_counts(void **state)
{
    struct server_clock clock = {0};

    (void)state;
    server_clock_take(&clock, 10 * S, 10 * S + 100, SERVER);
    int64_t exact = server_clock_at_least(&clock, 20 * S);
    server_clock_take(&clock, 11 * S, 14 * S, SERVER + 1 * S + 50); /* a slow answer */
    assert_in_range(exact - server_clock_at_least(&clock, 20 * S) + 10000, 0, 20000);
    assert_true(server_clock_is_recent(&clock, 14 * S));
    server_clock_take(&clock, 15 * S, 15 * S + 10, SERVER + 5 * S);
    assert_true(server_clock_at_least(&clock, 20 * S) > exact);
}

/* If the server's clock was set, the latest sample counts, however inexact it is. */
static void test_a_clock_that_was_set(void **state)
{
    struct server_clock clock = {0};

    (void)state;
    server_clock_take(&clock, 10 * S, 10 * S + 100, SERVER);
    server_clock_take(&clock, 11 * S, 12 * S, SERVER - 3600 * S);
    assert_true(server_clock_at_least(&clock, 12 * S) <= SERVER - 3600 * S);
    server_clock_take(&clock, 13 * S, 14 * S, SERVER + 3600 * S);
    assert_true(server_clock_at_least(&clock, 14 * S) > SERVER + 3599 * S);
}

static void test_times_that_no_clock_shows(void **state)
{
    struct server_clock clock = {0};

    (void)state;
    server_clock_take(&clock, 10 * S, 11 * S, INT64_MAX);
    assert_true(server_clock_at_least(&clock, 1000 * S) > SERVER);
    server_clock_take(&clock, 12 * S, 13 * S, INT64_MIN);
    assert_true(server_clock_at_least(&clock, 1000 * S) < SERVER);
    server_clock_take(&clock, 14 * S, 14 * S, SERVER);
    assert_in_range(SERVER - server_clock_at_least(&clock, 14 * S), 0, 1);
}

static void test_age(void **state)
{
    struct server_clock clock = {0};

    (void)state;
    server_clock_take(&clock, 10 * S, 10 * S, SERVER);
    assert_true(server_clock_is_recent(&clock, (9 + SERVER_CLOCK_RECENT_S) * S));
    assert_false(server_clock_is_recent(&clock, (10 + SERVER_CLOCK_RECENT_S) * S));
    assert_int_equal(SERVER + 1000 * S - server_clock_at_least(&clock, 1010 * S),
                     1000 * SERVER_CLOCK_DRIFT_PPM + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_known_at_first),
        cmocka_unit_test(test_a_lower_bound),
        cmocka_unit_test(test_the_better_sample_counts),
        cmocka_unit_test(test_a_clock_that_was_set),
        cmocka_unit_test(test_times_that_no_clock_shows),
        cmocka_unit_test(test_age),
    };

    return cmocka_run_group_tests_name("server clock", tests, NULL, NULL);
}
