/* When to try to connect again. */
#include "db/backoff.h"

#include "unit.h"

static void test_longer_each_time(void **state)
{
    static const int waits[] = {10, 20, 40, 80, 160, 160, 160};
    struct backoff backoff = {0};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(waits); i++) {
        backoff_failed(&backoff, 1000000, BACKOFF_MAX_MS, 25); /* exactly 100 % */
        assert_int_equal(backoff.wait_ms, waits[i]);
        assert_int_equal(backoff.next_us, 1000000 + waits[i] * 1000);
    }
    backoff_succeeded(&backoff);
    assert_int_equal(backoff.wait_ms, 0);
    assert_int_equal(backoff.next_us, 0);
    backoff_failed(&backoff, 0, BACKOFF_MAX_MS, 25);
    assert_int_equal(backoff.wait_ms, BACKOFF_FIRST_MS);
}

static void test_jitter(void **state)
{
    int64_t least = INT64_MAX, most = 0;

    (void)state;
    for (uint32_t random = 0; random < 1000; random++) {
        struct backoff backoff = {.wait_ms = BACKOFF_MAX_MS};

        backoff_failed(&backoff, 0, BACKOFF_MAX_MS, random);
        least = backoff.next_us < least ? backoff.next_us : least;
        most = backoff.next_us > most ? backoff.next_us : most;
    }
    assert_int_equal(least, BACKOFF_MAX_MS * 1000 * 3 / 4);
    assert_int_equal(most, BACKOFF_MAX_MS * 1000 * 5 / 4);
    struct backoff backoff = {.wait_ms = BACKOFF_MAX_MS};
    backoff_failed(&backoff, 0, BACKOFF_MAX_MS, UINT32_MAX);
    assert_in_range(backoff.next_us, least, most);
}

/* A lower limit than before holds at once. */
static void test_never_over_the_limit(void **state)
{
    struct backoff backoff = {.wait_ms = BACKOFF_MAX_MS};

    (void)state;
    backoff_failed(&backoff, 0, 50, 25);
    assert_int_equal(backoff.wait_ms, 50);
    assert_int_equal(backoff.next_us, 50000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_longer_each_time),
        cmocka_unit_test(test_jitter),
        cmocka_unit_test(test_never_over_the_limit),
    };

    return cmocka_run_group_tests_name("backoff", tests, NULL, NULL);
}
