/* The deadline of a read that a replica runs in place of the primary. */
#include "worker/reads.h"

#include "unit.h"

/* The replica has 1500 ms for a read, which ends within 4500 ms of its request. */
static const struct reads reads = {.end_us = 4500000, .replica_us = 1500000};

static void test_it_has_all_of_the_replicas_time(void **state)
{
    (void)state;
    assert_int_equal(reads_begin_us(&reads, 1000000, 1000001), 1000001);
    assert_int_equal(reads_begin_us(&reads, 1000000, 4000000), 4000000);
    assert_int_equal(reads_begin_us(&reads, 0, 9000000), 9000000);
}

static void test_it_ends_in_time(void **state)
{
    (void)state;
    assert_int_equal(reads_begin_us(&reads, 1000000, 4000001), 4000000);
    assert_int_equal(reads_begin_us(&reads, 1000000, 5500000), 4000000); /* nothing is left */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_has_all_of_the_replicas_time),
        cmocka_unit_test(test_it_ends_in_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
