/* How many workers may start within a time. */
#include "master/respawn.h"

#include "unit.h"

/* How many may start at this moment. */
static int take_all(struct respawn_budget *budget, int64_t now_ms)
{
    int taken = 0;

    while (respawn_budget_take(budget, now_ms)) {
        taken++;
        assert_true(taken <= RESPAWN_BURST);
    }
    return taken;
}

static void test_burst_and_refill(void **state)
{
    static const struct {
        int64_t now_ms;
        int taken;
    } rows[] = {
        {5000, RESPAWN_BURST},
        {5000, 0},
        {5000 + RESPAWN_REFILL_MS - 1, 0},
        {5000 + RESPAWN_REFILL_MS, 1},
        {5000 + RESPAWN_REFILL_MS, 0},
        {5000 + 3 * RESPAWN_REFILL_MS + 1, 2}, /* the rest of a millisecond isn't lost … */
        {5000 + 4 * RESPAWN_REFILL_MS, 1},     /* … nor counted twice */
        {5000 + 4 * RESPAWN_REFILL_MS + RESPAWN_REFILL_MS - 1, 0},
        {5000 + 1000 * (int64_t)RESPAWN_REFILL_MS, RESPAWN_BURST}, /* no more than the burst */
        {5000 + INT64_C(1000000000) * RESPAWN_REFILL_MS, RESPAWN_BURST},
    };
    struct respawn_budget budget;

    (void)state;
    respawn_budget_init(&budget, 5000);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        expect_integer("taken", take_all(&budget, rows[i].now_ms), rows[i].taken);
    }
}

static void test_slow_deaths_never_run_out(void **state)
{
    struct respawn_budget budget;

    (void)state;
    respawn_budget_init(&budget, 0);
    for (int64_t second = 1; second < 1000; second++) {
        assert_true(respawn_budget_take(&budget, second * RESPAWN_REFILL_MS));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_burst_and_refill),
        cmocka_unit_test(test_slow_deaths_never_run_out),
    };

    return cmocka_run_group_tests_name("budget", tests, NULL, NULL);
}
