/* Which moment of the primary a replica covers. */
#include "helper/positions.h"

#include "db/server.h"

#include "unit.h"

static struct server server_at(uint64_t position)
{
    return (struct server){.system = 7, .timeline = 2, .run = 1, .position = position};
}

static void add(struct positions *positions, uint64_t position, int64_t at_us)
{
    const struct server primary = server_at(position);

    positions_add(positions, &primary, (struct moment){at_us, (uint64_t)at_us * 2});
}

static int64_t covered(const struct positions *positions, uint64_t position)
{
    const struct server replica = server_at(position);

    struct moment covers = positions_covered(positions, &replica);

    assert_int_equal(covers.acknowledged, covers.us * 2);
    return covers.us;
}

static void test_the_latest_that_it_has_replayed(void **state)
{
    struct positions positions = {0};

    (void)state;
    assert_int_equal(positions_newest_us(&positions), 0);
    add(&positions, 100, 10);
    add(&positions, 200, 20);
    add(&positions, 300, 30);
    assert_int_equal(positions_newest_us(&positions), 30);
    assert_int_equal(covered(&positions, 99), 0);
    assert_int_equal(covered(&positions, 100), 10);
    assert_int_equal(covered(&positions, 299), 20);
    assert_int_equal(covered(&positions, 1000), 30);
}

static void test_the_same_position_later(void **state)
{
    struct positions positions = {0};

    (void)state;
    add(&positions, 100, 10);
    add(&positions, 100, 50);
    assert_int_equal(positions.count, 1);
    assert_int_equal(covered(&positions, 100), 50);
}

static void test_old_ones_are_forgotten(void **state)
{
    struct positions positions = {0};

    (void)state;
    for (int i = 1; i <= POSITIONS_MAX + 3; i++) {
        add(&positions, (uint64_t)i, i);
    }
    assert_int_equal(covered(&positions, 3), 0);
    assert_int_equal(covered(&positions, 4), 4);
    assert_int_equal(covered(&positions, POSITIONS_MAX + 3), POSITIONS_MAX + 3);
}

static void test_another_timeline_begins_anew(void **state)
{
    struct positions positions = {0};
    const struct server successor = {.system = 7, .timeline = 3, .position = 150};
    const struct server old = server_at(1000), other = {.system = 8, .timeline = 3};

    (void)state;
    assert_false(positions_are_of(&positions, &(struct server){0}));
    add(&positions, 100, 10);
    assert_true(positions_are_of(&positions, &old));
    positions_add(&positions, &successor, (struct moment){20, 40});
    assert_true(positions_are_of(&positions, &successor));
    assert_false(positions_are_of(&positions, &old));
    assert_false(positions_are_of(&positions, &other));
    assert_int_equal(positions.count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_latest_that_it_has_replayed),
        cmocka_unit_test(test_the_same_position_later),
        cmocka_unit_test(test_old_ones_are_forgotten),
        cmocka_unit_test(test_another_timeline_begins_anew),
    };

    return cmocka_run_group_tests_name("positions", tests, NULL, NULL);
}
