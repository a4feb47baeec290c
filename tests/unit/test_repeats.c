/* One line per interval for each key. */
#include "base/repeats.h"

#include <stdio.h>

#include "unit.h"

static bool admits(struct repeats *repeats, const char *key, int64_t now_ms, unsigned wanted)
{
    unsigned unlogged = 0;
    bool is_admitted = repeats_admit(repeats, key, now_ms, &unlogged);

    expect_integer(key, unlogged, wanted);
    return is_admitted;
}

static void test_a_key_is_counted_until_its_interval_is_over(void **state)
{
    struct repeats repeats = {0};

    (void)state;
    assert_true(admits(&repeats, "one", 0, 0));
    assert_true(admits(&repeats, "", 1, 0));
    assert_false(admits(&repeats, "one", 2, 0));
    assert_false(admits(&repeats, "one", REPEATS_INTERVAL_MS - 1, 0));
    assert_false(admits(&repeats, "", REPEATS_INTERVAL_MS, 0));
    assert_true(admits(&repeats, "one", REPEATS_INTERVAL_MS, 2));
    assert_true(admits(&repeats, "one", 2 * REPEATS_INTERVAL_MS, 0));
}

static void test_a_key_takes_the_entry_of_one_that_is_over_and_not_its_count(void **state)
{
    struct repeats repeats = {0};
    char key[8];

    (void)state;
    for (int i = 0; i < REPEATS_MAX; i++) {
        snprintf(key, sizeof key, "%d", i);
        assert_true(admits(&repeats, key, 0, 0));
        assert_false(admits(&repeats, key, 0, 0));
    }
    assert_true(admits(&repeats, "new", REPEATS_INTERVAL_MS, 0));
}

static void test_keys_without_an_entry_share_one(void **state)
{
    struct repeats repeats = {0};
    char key[8];
    int admitted = 0;

    (void)state;
    for (int i = 0; i < 100; i++) {
        snprintf(key, sizeof key, "%d", i);
        admitted += repeats_admit(&repeats, key, 0, &(unsigned){0});
    }
    assert_int_equal(admitted, REPEATS_MAX + 1);
    for (int i = 0; i < REPEATS_MAX; i++) {
        snprintf(key, sizeof key, "%d", i);
        assert_true(admits(&repeats, key, REPEATS_INTERVAL_MS, 0));
    }
    assert_true(admits(&repeats, "another", REPEATS_INTERVAL_MS, 100 - REPEATS_MAX - 1));
}

static void test_long_keys_are_cut(void **state)
{
    struct repeats repeats = {0};
    char key[2 * REPEATS_KEY_SIZE];

    (void)state;
    memset(key, 'x', sizeof key - 1);
    key[sizeof key - 1] = '\0';
    assert_true(admits(&repeats, key, 0, 0));
    assert_false(admits(&repeats, key, 1, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_key_is_counted_until_its_interval_is_over),
        cmocka_unit_test(test_a_key_takes_the_entry_of_one_that_is_over_and_not_its_count),
        cmocka_unit_test(test_keys_without_an_entry_share_one),
        cmocka_unit_test(test_long_keys_are_cut),
    };

    return cmocka_run_group_tests_name("repeats", tests, NULL, NULL);
}
