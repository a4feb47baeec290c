/* Two workers whose statements take turns. The runners of this file only store the statements, and
 * the test ends each of them. Time passes only when the test says so. */
#include "worker/turns.h"

#include <time.h>

#include "base/clock.h"
#include "shared/claims.h"
#include "unit.h"

enum {
    STATEMENTS_MAX = 16,
    WAITING_MAX = 2,
    PATIENCE_MS = 200,
    PAUSE_MAX_MS = 20,
    ROUNDS_MAX = 100 /* of wait_for_sent */
};

static const int NOT_YET = -1;

/* A statement that a worker has sent. */
struct sent {
    statement_done *done;
    void *context;
    bool is_over;
};

struct worker {
    struct sent sent[STATEMENTS_MAX];
    int count;
    struct statement_runner runner;
    struct turns *turns;
};

static struct claims claims;
static struct worker workers[2];
static const struct statement statement;
static int answered[STATEMENTS_MAX]; /* the status by the request's number, or NOT_YET */
static int numbers[STATEMENTS_MAX];
static int64_t now_us = 1000000;

/* The linker replaces clock_gettime(2) by this function. */
int __wrap_clock_gettime(clockid_t clock, struct timespec *at);

int __wrap_clock_gettime(clockid_t clock, struct timespec *at)
{
    (void)clock;
    *at = (struct timespec){.tv_sec = now_us / 1000000, .tv_nsec = now_us % 1000000 * 1000};
    return 0;
}

static void pass_ms(int ms)
{
    now_us += ms * INT64_C(1000);
}

static void submit(void *context, const struct statement *submitted, statement_done *done,
                   void *done_context)
{
    struct worker *worker = context;

    (void)submitted;
    worker->sent[worker->count++] = (struct sent){.done = done, .context = done_context};
}

/* A statement that was sent runs to its end. */
static bool cancel(void *context, const void *done_context)
{
    (void)context;
    (void)done_context;
    return false;
}

static void note_answer(void *context, const struct result *result)
{
    answered[*(const int *)context] = result->status;
}

static int begin(void **state)
{
    (void)state;
    claims = (struct claims){0};
    for (size_t slot = 0; slot < COUNT_OF(workers); slot++) {
        struct worker *worker = &workers[slot];
        const struct turns_settings settings = {.runner = &worker->runner,
                                                .patience_ms = PATIENCE_MS,
                                                .waiting_max = WAITING_MAX,
                                                .claims = &claims,
                                                .slot = slot};

        *worker =
            (struct worker){.runner = {.submit = submit, .cancel = cancel, .context = worker}};
        worker->turns = turns_new(&settings);
    }
    for (int i = 0; i < STATEMENTS_MAX; i++) {
        numbers[i] = i;
        answered[i] = NOT_YET;
    }
    return 0;
}

static int end(void **state)
{
    (void)state;
    for (size_t slot = 0; slot < COUNT_OF(workers); slot++) {
        turns_free(workers[slot].turns);
    }
    return 0;
}

static void ask(struct worker *worker, int number, const char *requester)
{
    turns_submit(worker->turns, &statement, requester, note_answer, &numbers[number]);
}

/* Ends the nth statement that the worker sent, from 0. */
static void finish(struct worker *worker, int nth)
{
    struct sent *sent = &worker->sent[nth];
    struct result result = {.status = STATUS_OK};

    assert_true(nth < worker->count && !sent->is_over);
    sent->is_over = true;
    sent->done(sent->context, &result);
}

/* Lets the worker run until it has sent `count` statements. Returns how long that took, in ms. */
static int64_t wait_for_sent(struct worker *worker, int count)
{
    int64_t begun_ms = clock_ms();

    for (int round = 0; worker->count < count; round++) {
        int wait_ms = turns_wait_ms(worker->turns);

        assert_true(wait_ms >= 0 && wait_ms <= PAUSE_MAX_MS);
        assert_true(round < ROUNDS_MAX);
        pass_ms(wait_ms);
        turns_proceed(worker->turns);
    }
    return clock_ms() - begun_ms;
}

static void test_one_requester_has_one_turn_in_the_pool(void **state)
{
    (void)state;
    ask(&workers[0], 0, "londo");
    ask(&workers[1], 1, "londo");
    ask(&workers[1], 2, "bayko");
    assert_int_equal(workers[0].count, 1);
    assert_int_equal(workers[1].count, 1); /* bayko's */
    finish(&workers[0], 0);
    wait_for_sent(&workers[1], 2);
    finish(&workers[1], 1);
    finish(&workers[1], 0);
    assert_int_equal(turns_wait_ms(workers[0].turns), -1);
    for (int i = 0; i < 3; i++) {
        expect_integer("answered", answered[i], STATUS_OK);
    }
}

/* The pause is as long as the previous statement took; the claim stays meanwhile. */
static void test_a_pause_before_the_next_one(void **state)
{
    (void)state;
    ask(&workers[0], 0, "londo");
    ask(&workers[0], 1, "londo");
    pass_ms(10);
    finish(&workers[0], 0);
    turns_proceed(workers[0].turns);
    assert_int_equal(workers[0].count, 1);
    assert_false(claims_take(&claims, "londo", 1));
    assert_int_equal(wait_for_sent(&workers[0], 2), 10);
    finish(&workers[0], 1);
    assert_true(claims_take(&claims, "londo", 1)); /* no other statement waits */
}

/* wait_for_sent() checks that no wait is longer than PAUSE_MAX_MS. */
static void test_a_pause_is_short(void **state)
{
    (void)state;
    ask(&workers[0], 0, "londo");
    ask(&workers[0], 1, "londo");
    pass_ms(5 * PAUSE_MAX_MS);
    finish(&workers[0], 0);
    assert_int_equal(wait_for_sent(&workers[0], 2), PAUSE_MAX_MS);
    finish(&workers[0], 1);
}

static void test_so_many_wait(void **state)
{
    (void)state;
    for (int i = 0; i <= WAITING_MAX; i++) {
        ask(&workers[0], i, "londo");
    }
    expect_integer("one that may wait", answered[WAITING_MAX], NOT_YET);
    ask(&workers[0], WAITING_MAX + 1, "londo");
    expect_integer("one more", answered[WAITING_MAX + 1], STATUS_TOO_MANY_REQUESTS);
    ask(&workers[0], WAITING_MAX + 2, "bayko");
    expect_integer("another requester's", workers[0].count, 2);
    finish(&workers[0], 1);
    finish(&workers[0], 0);
    for (int i = 1; i <= WAITING_MAX; i++) {
        wait_for_sent(&workers[0], 2 + i);
        finish(&workers[0], 1 + i);
    }
}

static void test_one_that_waits_too_long(void **state)
{
    (void)state;
    ask(&workers[0], 0, "londo");
    ask(&workers[1], 1, "londo");
    pass_ms(PATIENCE_MS + 10);
    finish(&workers[0], 0);
    turns_proceed(workers[1].turns);
    expect_integer("sent", workers[1].count, 0);
    expect_integer("refused", answered[1], STATUS_TOO_MANY_REQUESTS);
}

static void test_one_that_is_given_up(void **state)
{
    (void)state;
    ask(&workers[0], 0, "londo");
    ask(&workers[0], 1, "londo");
    assert_false(turns_cancel(workers[0].turns, &numbers[0])); /* it was sent */
    assert_true(turns_cancel(workers[0].turns, &numbers[1]));
    finish(&workers[0], 0);
    pass_ms(PAUSE_MAX_MS);
    turns_proceed(workers[0].turns);
    assert_int_equal(turns_wait_ms(workers[0].turns), -1);
    expect_integer("answers to the one that was given up", answered[1], NOT_YET);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_requester_has_one_turn_in_the_pool, begin, end),
        cmocka_unit_test_setup_teardown(test_a_pause_before_the_next_one, begin, end),
        cmocka_unit_test_setup_teardown(test_a_pause_is_short, begin, end),
        cmocka_unit_test_setup_teardown(test_so_many_wait, begin, end),
        cmocka_unit_test_setup_teardown(test_one_that_waits_too_long, begin, end),
        cmocka_unit_test_setup_teardown(test_one_that_is_given_up, begin, end),
    };

    return cmocka_run_group_tests_name("turns", tests, NULL, NULL);
}
