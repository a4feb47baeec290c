/* When a read may go to a replica. */
#include "shared/replicas.h"

#include <sys/mman.h>
#include <unistd.h>

#include "unit.h"

enum { RUN = 77, BOUND_US = 1000000 };

static int set_up(void **state)
{
    *state = replicas_new();
    return *state == NULL;
}

static int tear_down(void **state)
{
    struct replicas *replicas = *state;

    close(replicas->wake_fd);
    return munmap(replicas, sizeof *replicas);
}

static void test_it_has_what_the_pool_wrote(void **state)
{
    struct replicas *replicas = *state;

    replicas_publish(replicas, 3, RUN, (struct moment){5000000, 0}, 10);
    assert_int_equal(replicas_judge(replicas, RUN, 5000001, BOUND_US), REPLICA_GOOD);
    replicas_note_write(replicas, 5000000);
    assert_int_equal(replicas_judge(replicas, RUN, 5000001, BOUND_US), REPLICA_BEHIND);
    replicas_note_write(replicas, 4000000); /* another worker's, noted later */
    assert_int_equal(replicas_judge(replicas, RUN, 5000001, BOUND_US), REPLICA_BEHIND);
    replicas_publish(replicas, 3, RUN, (struct moment){5000001, 0}, 10);
    assert_int_equal(replicas_judge(replicas, RUN, 5000002, BOUND_US), REPLICA_GOOD);
}

static void test_it_is_not_too_old(void **state)
{
    struct replicas *replicas = *state;

    replicas_publish(replicas, 0, RUN, (struct moment){5000000, 0}, 10);
    assert_int_equal(replicas_judge(replicas, RUN, 6000000, BOUND_US), REPLICA_GOOD);
    assert_int_equal(replicas_judge(replicas, RUN, 6000001, BOUND_US), REPLICA_LATE);
}

/* A replica that lacks a write without a result is behind. Its age is still known for reads that
 * the primary cannot run, until a missing write is acknowledged. */
static void test_how_old_it_is(void **state)
{
    struct replicas *replicas = *state;

    assert_int_equal(replicas_age_us(replicas, RUN, 1), -1);
    replicas_publish(replicas, 0, RUN, (struct moment){5000000, 0}, 10);
    assert_int_equal(replicas_age_us(replicas, RUN, 9000000), 4000000);
    replicas_note_write(replicas, 5000001);
    assert_int_equal(replicas_judge(replicas, RUN, 5000002, BOUND_US), REPLICA_BEHIND);
    assert_int_equal(replicas_age_us(replicas, RUN, 9000000), 4000000);
    replicas_note_acknowledged(replicas, 700);
    assert_int_equal(replicas_age_us(replicas, RUN, 9000000), -1);
    replicas_publish(replicas, 0, RUN, (struct moment){5000000, 1}, 10);
    assert_int_equal(replicas_age_us(replicas, RUN, 9000000), 4000000);
    assert_int_equal(replicas_age_us(replicas, RUN + 1, 9000000), -1);
    assert_int_equal(replicas_now(replicas).acknowledged, 1);
}

static void test_whether_another_is_better(void **state)
{
    struct replicas *replicas = *state;

    replicas_publish(replicas, 0, RUN, (struct moment){5000000, 1}, 10);
    replicas_publish(replicas, 1, RUN + 1, (struct moment){5500000, 2}, 10);
    assert_true(replicas_have_better(replicas, RUN, 6500000, BOUND_US));
    assert_false(replicas_have_better(replicas, RUN, 6500001, BOUND_US)); /* none is recent */
    replicas_note_acknowledged(replicas, 700);
    assert_false(replicas_have_better(replicas, RUN, 6500001, BOUND_US));
    replicas_note_acknowledged(replicas, 701);
    assert_true(replicas_have_better(replicas, RUN, 6500001, BOUND_US));
    assert_false(replicas_have_better(replicas, RUN + 1, 6500001, BOUND_US));
    replicas_note_acknowledged(replicas, 702);
    assert_false(replicas_have_better(replicas, RUN, 6500001, BOUND_US));
}

static void test_the_last_transactions(void **state)
{
    struct replicas *replicas = *state;
    uint64_t xids[ACKNOWLEDGED_MAX];

    assert_int_equal(replicas_transactions(replicas, 0, 0, xids), 0);
    assert_int_equal(replicas_transactions(replicas, 0, 1, xids), -1); /* it is not noted yet */
    for (uint64_t xid = 701; xid <= 700 + ACKNOWLEDGED_MAX; xid++) {
        replicas_note_acknowledged(replicas, xid);
    }
    assert_int_equal(replicas_transactions(replicas, 1, 3, xids), 2);
    assert_int_equal(xids[0], 702);
    assert_int_equal(xids[1], 703);
    assert_int_equal(replicas_transactions(replicas, 0, ACKNOWLEDGED_MAX, xids), ACKNOWLEDGED_MAX);
    assert_int_equal(xids[ACKNOWLEDGED_MAX - 1], 700 + ACKNOWLEDGED_MAX);
    replicas_note_acknowledged(replicas, 800);
    assert_int_equal(replicas_transactions(replicas, 0, ACKNOWLEDGED_MAX + 1, xids), -1);
    assert_int_equal(replicas_transactions(replicas, 0, 1, xids), -1); /* its place was reused */
    assert_int_equal(replicas_transactions(replicas, 1, ACKNOWLEDGED_MAX + 1, xids),
                     ACKNOWLEDGED_MAX);
    assert_int_equal(xids[ACKNOWLEDGED_MAX - 1], 800);
}

static void test_a_transaction_that_is_not_known(void **state)
{
    struct replicas *replicas = *state;
    uint64_t xids[ACKNOWLEDGED_MAX];

    replicas_note_acknowledged(replicas, (UINT64_C(1) << 48) - 1);
    assert_int_equal(replicas_transactions(replicas, 0, 1, xids), 1);
    replicas_note_acknowledged(replicas, 0);
    assert_int_equal(replicas_transactions(replicas, 0, 2, xids), -1);
    replicas_note_acknowledged(replicas, UINT64_C(1) << 48); /* too large for its place */
    assert_int_equal(replicas_transactions(replicas, 2, 3, xids), -1);
}

static void test_it_is_the_one_that_was_asked(void **state)
{
    struct replicas *replicas = *state;

    assert_int_equal(replicas_judge(replicas, RUN, 1, BOUND_US), REPLICA_UNKNOWN);
    assert_int_equal(replicas_judge(replicas, 0, 1, BOUND_US), REPLICA_UNKNOWN);
    replicas_publish(replicas, 0, RUN, (struct moment){5000000, 0}, 10);
    assert_int_equal(replicas_judge(replicas, RUN + 1, 5000001, BOUND_US), REPLICA_UNKNOWN);
    replicas_publish(replicas, 0, RUN + 1, (struct moment){5000000, 0}, 10); /* it was restarted */
    assert_int_equal(replicas_judge(replicas, RUN, 5000001, BOUND_US), REPLICA_UNKNOWN);
    assert_int_equal(replicas_judge(replicas, RUN + 1, 5000001, BOUND_US), REPLICA_GOOD);
    replicas_invalidate(replicas);
    assert_int_equal(replicas_judge(replicas, RUN + 1, 5000001, BOUND_US), REPLICA_UNKNOWN);
}

/* Returns 1 if the prober was woken since the last call, else 0. */
static int wakes(const struct replicas *replicas)
{
    uint64_t count;

    return read(replicas->wake_fd, &count, sizeof count) == sizeof count;
}

static void test_the_prober_is_woken(void **state)
{
    struct replicas *replicas = *state;
    const int64_t first_us = 100 * BOUND_US;

    replicas_note_read(replicas, first_us);
    assert_int_equal(wakes(replicas), 1);
    replicas_note_read(replicas, first_us + BOUND_US);
    assert_int_equal(wakes(replicas), 0);
    assert_true(replicas_are_wanted(replicas, first_us + 2 * BOUND_US));
    assert_false(replicas_are_wanted(replicas, first_us + 7 * BOUND_US));
    replicas_note_write(replicas, first_us);
    assert_int_equal(wakes(replicas), 0);
    atomic_store(&replicas->is_awaited, true);
    replicas_note_write(replicas, first_us);
    replicas_note_write(replicas, first_us);
    assert_int_equal(wakes(replicas), 1);
    assert_int_equal(wakes(replicas), 0);
}

static void test_the_best_one_counts(void **state)
{
    struct replicas *replicas = *state;

    assert_int_equal(replicas_lag_us(replicas), 0);
    replicas_publish(replicas, 0, RUN, (struct moment){1, 0}, 3000);
    replicas_publish(replicas, 1, RUN + 1, (struct moment){1, 0}, 2000);
    assert_int_equal(replicas_lag_us(replicas), 2000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_it_has_what_the_pool_wrote, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_it_is_not_too_old, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_how_old_it_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_whether_another_is_better, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_last_transactions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_transaction_that_is_not_known, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_it_is_the_one_that_was_asked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_prober_is_woken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_best_one_counts, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("replicas", tests, NULL, NULL);
}
