/* A requester is claimed by one worker at a time. */
#include "shared/claims.h"

#include <stdio.h>

#include "unit.h"

static struct claims claims;

static int begin(void **state)
{
    (void)state;
    claims = (struct claims){0};
    return 0;
}

static void test_one_worker_at_a_time(void **state)
{
    (void)state;
    assert_true(claims_take(&claims, "londo", 0));
    assert_true(claims_take(&claims, "londo", 0));
    assert_false(claims_take(&claims, "londo", 1));
    assert_true(claims_take(&claims, "bayko", 1));
    claims_release(&claims, "londo", 1);
    assert_false(claims_take(&claims, "londo", 1));
    claims_release(&claims, "londo", 0);
    assert_true(claims_take(&claims, "londo", 1));
}

static void test_a_worker_that_has_ended(void **state)
{
    (void)state;
    assert_true(claims_take(&claims, "londo", 127));
    assert_true(claims_take(&claims, "bayko", 127));
    assert_true(claims_take(&claims, "altbrown", 3));
    claims_release_all(&claims, 127);
    assert_true(claims_take(&claims, "londo", 0));
    assert_true(claims_take(&claims, "bayko", 0));
    assert_false(claims_take(&claims, "altbrown", 0));
}

/* More requesters than places, so that some hash to the same place: each still gets its turn. */
static void test_others_hold_up_no_requester(void **state)
{
    char requester[32];

    (void)state;
    for (int i = 0; i < 2 * CLAIM_PLACES; i++) {
        snprintf(requester, sizeof requester, "requester %d", i);
        assert_true(claims_take(&claims, requester, (size_t)i % 2));
    }
    for (int i = 0; i < 2 * CLAIM_PLACES; i++) {
        snprintf(requester, sizeof requester, "requester %d", i);
        claims_release(&claims, requester, (size_t)i % 2);
    }
    for (size_t i = 0; i < CLAIM_PLACES; i++) {
        assert_int_equal(claims.places[i], 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_one_worker_at_a_time, begin),
        cmocka_unit_test_setup(test_a_worker_that_has_ended, begin),
        cmocka_unit_test_setup(test_others_hold_up_no_requester, begin),
    };

    return cmocka_run_group_tests_name("claims", tests, NULL, NULL);
}
