/* Whether a snapshot has seen all that another one has seen. */
#include "home/snapshot.h"

#include "unit.h"

static struct snapshot read_good(const char *text)
{
    struct snapshot snapshot = {0};

    assert_true(snapshot_read(&snapshot, text));
    return snapshot;
}

static void test_what_is_read(void **state)
{
    struct snapshot snapshot = read_good("1795281438586276/740:745:740,743");

    (void)state;
    assert_int_equal(snapshot.server, 1795281438586276);
    assert_int_equal(snapshot.xmin, 740);
    assert_int_equal(snapshot.xmax, 745);
    snapshot = read_good("1/18446744073709551614:18446744073709551615:");
    assert_true(snapshot.xmin == UINT64_MAX - 1 && snapshot.xmax == UINT64_MAX);
}

static void test_what_is_none(void **state)
{
    static const char *const texts[] = {NULL,     "",        "740:745:",  "1/740",
                                        "1/740:", "1/:745:", "x/740:745:"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct snapshot snapshot = {.server = 1, .xmin = 740, .xmax = 740};

        assert_false(snapshot_read(&snapshot, texts[i]));
        assert_true(snapshot.server == 0 && snapshot.xmin == 0 && snapshot.xmax == 0);
    }
}

static void test_who_covers_whom(void **state)
{
    static const struct {
        const char *snapshot, *other;
        bool covers;
    } cases[] = {
        {"1/740:740:", "1/740:740:", true},
        {"1/741:741:", "1/740:740:", true},
        {"1/740:740:", "1/741:741:", false},
        /* 740 was still under way and may have ended since, so only transactions below it count. */
        {"1/740:750:740", "1/740:741:740", false},
        {"1/740:750:740", "1/740:740:", true},
        {"1/741:750:741", "1/740:741:740", true},
        /* Numbers of another server, or of another run of a server, cannot be compared. */
        {"2/900:900:", "1/740:740:", false},
        {"1/740:740:", "2/740:740:", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct snapshot snapshot = read_good(cases[i].snapshot), other = read_good(cases[i].other);

        assert_int_equal(snapshot_covers(&snapshot, &other), cases[i].covers);
    }
    const struct snapshot nothing = {0}, least = read_good("1/3:3:");
    assert_false(snapshot_covers(&nothing, &least));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_read),
        cmocka_unit_test(test_what_is_none),
        cmocka_unit_test(test_who_covers_whom),
    };

    return cmocka_run_group_tests_name("snapshot", tests, NULL, NULL);
}
