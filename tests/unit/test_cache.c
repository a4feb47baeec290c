/* When a cached page is a hit, coalesced or a miss. The test answers in place of the database. */
#include "home/cache.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "api/activities.h"
#include "base/clock.h"
#include "home/mark.h"
#include "home/snapshot.h"
#include "shared/counts.h"
#include "unit.h"

enum { ASKED_MAX = 8, WATCH_MS = 1000 };

static struct {
    statement_done *done;
    void *context;
    int64_t since_us; /* when its deadline begins; 0: when it is submitted */
} asked[ASKED_MAX];
static int asked_count;
static char told[32]; /* the answer to the last request; "" while it waits */
static int told_stale_s;
static struct mark mark;
static struct cache_settings settings;
static struct cache *cache;

static void submit(void *context, const struct statement *statement, statement_done *done,
                   void *done_context)
{
    (void)context;
    assert_true(asked_count < ASKED_MAX);
    asked[asked_count].since_us = statement->asked_us;
    asked[asked_count].done = done;
    asked[asked_count++].context = done_context;
}

static const struct statement_runner database = {.submit = submit};

static void answer(int number, const char *body, const char *snapshot)
{
    const struct result result = {.status = STATUS_OK,
                                  .outcome = "ok",
                                  .body = body,
                                  .body_length = strlen(body),
                                  .lives_us = -1,
                                  .seen = snapshot};

    asked[number].done(asked[number].context, &result);
}

static void fail_to_answer(int number)
{
    const struct result result = {.status = STATUS_DATABASE_UNAVAILABLE};

    asked[number].done(asked[number].context, &result);
}

static void take(void *context, const struct result *result, const struct cache_info *info)
{
    (void)context;
    (void)info;
    snprintf(told, sizeof told, "%s", result->body);
    told_stale_s = result->stale_s;
}

static void ask_since(int64_t since_us)
{
    struct statement statement = statement_of(&ACTIVITIES_HOME);

    statement.asked_us = since_us;
    statement_bind(&statement, "limit", "20");
    told[0] = '\0';
    assert_true(cache_submit(cache, &statement, take, NULL));
}

static void ask(void)
{
    ask_since(0);
}

/* The next request is answered at once, with this body. */
static void assert_hit(const char *body)
{
    int before = asked_count;

    ask();
    assert_string_equal(told, body);
    assert_int_equal(asked_count, before);
}

static void assert_miss(void)
{
    int before = asked_count;

    ask();
    assert_string_equal(told, "");
    assert_int_equal(asked_count, before + 1);
}

/* The watcher polls, and sees this. */
static void see(int64_t server, uint64_t xmax)
{
    const struct snapshot latest = {.server = server, .xmin = xmax, .xmax = xmax};

    mark_publish(&mark, &latest);
    atomic_store(&mark.polled_us, clock_us());
}

/* The watcher has seen the transactions below 740 of server 1; no page is cached yet. */
static int begin(void **state)
{
    static struct cache_counts counts;

    (void)state;
    settings = (struct cache_settings){.home = &ACTIVITIES_HOME,
                                       .mark = &mark,
                                       .watch_ms = WATCH_MS,
                                       .stale_s = 1,
                                       .counts = &counts};
    memset(&mark, 0, sizeof mark);
    asked_count = 0;
    cache = cache_new(&settings, &database);
    see(1, 740);
    return 0;
}

static int end(void **state)
{
    (void)state;
    cache_free(cache);
    return 0;
}

static void keep(const char *body, const char *snapshot)
{
    assert_miss();
    answer(asked_count - 1, body, snapshot);
    assert_string_equal(told, body);
}

static void test_it_is_asked_for_once(void **state)
{
    (void)state;
    assert_miss();
    ask(); /* coalesced */
    assert_int_equal(asked_count, 1);
    answer(0, "page", "1/740:740:");
    assert_string_equal(told, "page");
    assert_hit("page");
}

static void test_what_the_pool_writes(void **state)
{
    (void)state;
    keep("old", "1/740:740:");
    mark_add_write(&mark);
    keep("new", "1/741:741:");
    assert_hit("new");
}

static void test_what_the_watcher_sees(void **state)
{
    (void)state;
    keep("page", "1/745:750:745,747");
    see(1, 744);
    assert_hit("page");
    see(1, 745);
    assert_hit("page");
    see(1, 746); /* 745 may have ended since */
    keep("later", "1/750:750:");
    assert_hit("later");
}

static void test_another_server(void **state)
{
    (void)state;
    keep("page", "1/900:900:");
    see(2, 740);
    keep("page", "1/900:900:"); /* this session is still with the old server */
    assert_miss();
    answer(asked_count - 1, "page", "2/740:740:");
    assert_hit("page");
}

static void test_what_comes_without_a_snapshot(void **state)
{
    (void)state;
    keep("of a standby", NULL);
    keep("unreadable", "740");
    assert_miss();
}

/* A page without a snapshot does not replace the cached page. If the next fill fails, the cached
 * page is served as stale. */
static void test_what_is_stale(void **state)
{
    (void)state;
    keep("page", "1/740:740:");
    mark_add_write(&mark);
    keep("of a standby", NULL);
    assert_int_equal(told_stale_s, 0);
    assert_miss();
    fail_to_answer(asked_count - 1);
    assert_string_equal(told, "page");
    assert_int_equal(told_stale_s, 1);
}

/* A request may have waited for something else before it is submitted to the cache. */
static void test_the_deadline_is_that_of_the_request(void **state)
{
    (void)state;
    ask_since(12345);
    assert_int_equal(asked[0].since_us, 12345);
    answer(0, "page", "1/740:740:");
    mark_add_write(&mark);
    assert_true(cache_refresh(cache, "20", take, NULL));
    assert_int_equal(asked[1].since_us, 0);
    answer(1, "page", "1/740:740:");
}

static void test_no_watcher(void **state)
{
    (void)state;
    keep("page", "1/740:740:");
    assert_hit("page");
    atomic_store(&mark.polled_us, clock_us() - (CACHE_POLLS_MISSED + 1) * WATCH_MS * INT64_C(1000));
    assert_miss();
}

/* For this long a write from elsewhere may be unseen: a request does not join an older fill. */
static void test_no_watcher_while_it_is_filled(void **state)
{
    const struct timespec pause = {.tv_nsec = (CACHE_POLLS_MISSED + 5) * 1000000};

    (void)state;
    settings.watch_ms = 1;
    assert_miss();
    nanosleep(&pause, NULL);
    assert_miss();
}

/* A statement that began before the write may miss it. */
static void test_no_coalescing_across_a_write(void **state)
{
    (void)state;
    assert_miss();
    mark_add_write(&mark);
    assert_miss();
    see(1, 741);
    assert_miss();
    ask();
    assert_int_equal(asked_count, 3);
}

/* During an upgrade of the program the writes of the other program's workers are not counted. */
static void test_no_coalescing_without_the_counts_of_all(void **state)
{
    (void)state;
    mark_divide(&mark);
    assert_miss();
    assert_miss();
    mark_unite(&mark);
    assert_miss();
    see(1, 741);
    mark_unite(&mark);
    ask();
    assert_int_equal(asked_count, 4);
}

static void test_an_older_answer_comes_later(void **state)
{
    (void)state;
    assert_miss();
    mark_add_write(&mark);
    assert_miss();
    see(1, 742);
    assert_miss();
    answer(2, "newest", "1/742:742:");
    answer(0, "oldest", "1/740:740:");
    answer(1, "old", "1/741:741:");
    assert_hit("newest");
}

/* While the watcher publishes a change, no cached page is fresh. */
static void test_a_change_that_is_being_noted(void **state)
{
    (void)state;
    keep("page", "1/745:745:");
    atomic_store(&mark.sequence, atomic_load(&mark.sequence) + 1);
    assert_miss();
    see(1, 741); /* the watcher was killed while it published; this is the next one */
    assert_int_equal(atomic_load(&mark.sequence) % 2, 0);
    assert_hit("page");
}

static bool is_current(void)
{
    struct cache_look look = {.is_current = false};

    return cache_look(cache, "20", &look) && look.is_current;
}

/* A stream looks at the cached page, and requests a fill of it. */
static void test_streams(void **state)
{
    struct cache_look look;

    (void)state;
    assert_false(cache_look(cache, "20", &look));
    assert_true(cache_refresh(cache, "20", take, NULL));
    assert_true(cache_refresh(cache, "20", take, NULL)); /* waits for the same fill */
    assert_int_equal(asked_count, 1);
    answer(0, "page", "1/740:740:");
    assert_true(cache_look(cache, "20", &look) && look.is_current);
    assert_int_equal(look.polled_us, atomic_load(&mark.polled_us));
    assert_int_equal(look.body_length, strlen("page"));
    assert_memory_equal(look.body, "page", look.body_length);
    assert_string_equal(told, "page");
    assert_true(atomic_load(&mark.requested_us) == 0); /* this was no request */
    assert_hit("page");
    mark_add_write(&mark);
    assert_false(is_current());
    assert_true(cache_refresh(cache, "20", take, NULL));
    answer(1, "newer", "1/741:741:");
    assert_true(is_current());
    see(1, 742);
    assert_false(is_current());
}

/* The watcher polls less often while there are only streams. */
static void test_streams_need_no_recent_look(void **state)
{
    (void)state;
    keep("page", "1/740:740:");
    atomic_store(&mark.polled_us, clock_us() - 2 * CACHE_POLLS_MISSED * WATCH_MS * 1000L);
    assert_true(is_current());
    assert_miss();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_it_is_asked_for_once, begin, end),
        cmocka_unit_test_setup_teardown(test_what_the_pool_writes, begin, end),
        cmocka_unit_test_setup_teardown(test_what_the_watcher_sees, begin, end),
        cmocka_unit_test_setup_teardown(test_another_server, begin, end),
        cmocka_unit_test_setup_teardown(test_what_comes_without_a_snapshot, begin, end),
        cmocka_unit_test_setup_teardown(test_what_is_stale, begin, end),
        cmocka_unit_test_setup_teardown(test_the_deadline_is_that_of_the_request, begin, end),
        cmocka_unit_test_setup_teardown(test_no_watcher, begin, end),
        cmocka_unit_test_setup_teardown(test_no_watcher_while_it_is_filled, begin, end),
        cmocka_unit_test_setup_teardown(test_no_coalescing_across_a_write, begin, end),
        cmocka_unit_test_setup_teardown(test_no_coalescing_without_the_counts_of_all, begin, end),
        cmocka_unit_test_setup_teardown(test_an_older_answer_comes_later, begin, end),
        cmocka_unit_test_setup_teardown(test_a_change_that_is_being_noted, begin, end),
        cmocka_unit_test_setup_teardown(test_streams, begin, end),
        cmocka_unit_test_setup_teardown(test_streams_need_no_recent_look, begin, end),
    };

    return cmocka_run_group_tests_name("cache", tests, NULL, NULL);
}
