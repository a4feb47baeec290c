/* Which callers get the cached home page. The test answers in place of the database. */
#include "home/viewers.h"

#include <stdio.h>
#include <string.h>

#include "api/activities.h"
#include "api/social.h"
#include "base/clock.h"
#include "home/mark.h"
#include "home/snapshot.h"
#include "shared/counts.h"
#include "unit.h"

enum { ASKED_MAX = 16 };

static struct {
    const struct statement_def *def;
    bool is_own;
    statement_done *done;
    void *context;
} asked[ASKED_MAX];
static int asked_count;
static char told[32]; /* the answer to the last request; "" while it waits */
static char etag[32]; /* "" without one */
static struct mark mark;
static struct cache_settings settings;
static struct cache *cache;
static struct viewers *viewers;

static void submit(void *context, const struct statement *statement, statement_done *done,
                   void *done_context)
{
    (void)context;
    assert_true(asked_count < ASKED_MAX);
    asked[asked_count].def = statement->def;
    asked[asked_count].is_own = viewers_accepts(statement);
    asked[asked_count].done = done;
    asked[asked_count++].context = done_context;
}

static const struct statement_runner database = {.submit = submit};

static void answer(const char *body, int64_t visibility)
{
    int number = asked_count - 1;
    const struct result result = {.status = STATUS_OK,
                                  .outcome = "ok",
                                  .body = body,
                                  .body_length = strlen(body),
                                  .lives_us = -1,
                                  .visibility = visibility,
                                  .seen = "1/740:740:"};

    asked[number].done(asked[number].context, &result);
}

static void take(void *context, const struct result *result, const struct cache_info *info)
{
    (void)context;
    snprintf(told, sizeof told, "%s", result->status == STATUS_OK ? result->body : "failed");
    snprintf(etag, sizeof etag, "%s", info != NULL ? info->etag : "");
}

static struct statement statement;

static void ask_as(const char *subject)
{
    statement = statement_of(&ACTIVITIES_HOME);
    statement_bind(&statement, "limit", "20");
    statement_bind(&statement, "sub", subject);
    told[0] = '\0';
    viewers_submit(viewers, &statement, take, NULL);
}

static void expect_question(void)
{
    assert_ptr_equal(asked[asked_count - 1].def, &SOCIAL_HIDDEN);
    assert_string_equal(told, "");
}

static void expect_fill(void)
{
    assert_ptr_equal(asked[asked_count - 1].def, &ACTIVITIES_HOME);
    assert_false(asked[asked_count - 1].is_own);
    assert_string_equal(told, "");
}

static void expect_own(void)
{
    assert_ptr_equal(asked[asked_count - 1].def, &ACTIVITIES_HOME);
    assert_true(asked[asked_count - 1].is_own);
    assert_string_equal(told, "");
}

static void expect_answer(const char *body)
{
    assert_string_equal(told, body);
}

static int begin(void **state)
{
    static struct cache_counts counts;
    const struct snapshot latest = {.server = 1, .xmin = 740, .xmax = 740};

    (void)state;
    settings = (struct cache_settings){.home = &ACTIVITIES_HOME,
                                       .mark = &mark,
                                       .watch_ms = 60000,
                                       .stale_s = 1,
                                       .counts = &counts};
    memset(&mark, 0, sizeof mark);
    asked_count = 0;
    cache = cache_new(&settings, &database);
    viewers = viewers_new(cache, &database, &SOCIAL_HIDDEN);
    mark_publish(&mark, &latest);
    atomic_store(&mark.polled_us, clock_us());
    return 0;
}

static int end(void **state)
{
    (void)state;
    viewers_free(viewers);
    viewers_free(NULL);
    cache_free(cache);
    return 0;
}

/* Fills the page, and answers whether the subject hides users, both at this number of visibility.
 * */
static void fill_and_learn(const char *subject, int64_t visibility, const char *has_hidden)
{
    ask_as(subject);
    expect_fill();
    answer("shared", visibility);
    expect_question();
    answer(has_hidden, visibility);
}

static void test_one_without_hidden_users_is_asked_about_once(void **state)
{
    (void)state;
    fill_and_learn("one", 7, "false");
    expect_answer("shared");
    int before = asked_count;
    for (int i = 0; i < 3; i++) {
        ask_as("one");
        expect_answer("shared");
    }
    assert_int_equal(asked_count, before);
}

static void test_one_with_hidden_users_has_an_own_page(void **state)
{
    char shared[sizeof etag];

    (void)state;
    fill_and_learn("other", 7, "false");
    snprintf(shared, sizeof shared, "%s", etag);
    ask_as("one");
    expect_question();
    answer("true", 7);
    expect_own();
    answer("own", 7);
    expect_answer("own");
    assert_string_not_equal(etag, shared);
    ask_as("one");
    expect_own(); /* without a question */
    answer("own", 7);
    ask_as("other");
    expect_answer("shared"); /* the own page was not stored */
    assert_string_equal(etag, shared);
}

static void test_a_change_of_visibility_is_asked_about(void **state)
{
    (void)state;
    fill_and_learn("one", 7, "false");
    mark_add_write(&mark);
    ask_as("one");
    expect_fill();
    answer("later", 8);
    expect_question();
    answer("true", 8);
    expect_own();
    answer("own", 8);
    expect_answer("own");
}

static void test_names_are_compared_whole(void **state)
{
    char name[VIEWERS_NAME_MAX + 2];

    (void)state;
    fill_and_learn("one", 7, "false");
    ask_as("One");
    expect_question();
    answer("false", 7);
    expect_answer("shared");
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    for (int i = 0; i < 2; i++) { /* too long to be remembered */
        ask_as(name);
        expect_question();
        answer("false", 7);
        expect_own();
        answer("own", 7);
        expect_answer("own");
    }
}

static void test_a_subject_is_no_handle(void **state)
{
    (void)state;
    fill_and_learn("one", 7, "false");
    statement = statement_of(&ACTIVITIES_HOME);
    statement_bind(&statement, "limit", "20");
    statement_bind(&statement, "viewer", "one");
    told[0] = '\0';
    viewers_submit(viewers, &statement, take, NULL);
    expect_question();
    answer("true", 7);
    expect_own();
    answer("own", 7);
    ask_as("one");
    expect_answer("shared");
}

static void test_questions_end(void **state)
{
    (void)state;
    ask_as("one");
    expect_fill();
    answer("shared", 7);
    for (int i = 0; i < VIEWERS_QUESTIONS_MAX; i++) {
        expect_question();
        answer("false", 100 + i); /* never the number of the page */
    }
    expect_own();
    answer("own", 7);
    expect_answer("own");
}

static void test_a_failure_is_told(void **state)
{
    const struct result result = {.status = STATUS_DATABASE_UNAVAILABLE};

    (void)state;
    fill_and_learn("other", 7, "false");
    ask_as("one");
    expect_question();
    asked[asked_count - 1].done(asked[asked_count - 1].context, &result);
    expect_answer("failed");
    assert_string_equal(etag, "");
}

static void test_what_waits_is_freed(void **state)
{
    (void)state;
    ask_as("one");
    expect_fill();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_without_hidden_users_is_asked_about_once, begin,
                                        end),
        cmocka_unit_test_setup_teardown(test_one_with_hidden_users_has_an_own_page, begin, end),
        cmocka_unit_test_setup_teardown(test_a_change_of_visibility_is_asked_about, begin, end),
        cmocka_unit_test_setup_teardown(test_names_are_compared_whole, begin, end),
        cmocka_unit_test_setup_teardown(test_a_subject_is_no_handle, begin, end),
        cmocka_unit_test_setup_teardown(test_questions_end, begin, end),
        cmocka_unit_test_setup_teardown(test_a_failure_is_told, begin, end),
        cmocka_unit_test_setup_teardown(test_what_waits_is_freed, begin, end),
    };

    return cmocka_run_group_tests_name("viewers", tests, NULL, NULL);
}
