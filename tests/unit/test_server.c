/* Which server a session is with, and which of two is the later primary. */
#include "db/server.h"
#include "db/timelines.h"

#include "unit.h"

static void test_what_is_read(void **state)
{
    struct server server;

    (void)state;
    assert_true(server_read(&server, "18446744073709551615/7/3591869805145389/83886080/standby"));
    assert_true(server.system == UINT64_MAX && server.is_standby);
    assert_int_equal(server.timeline, 7);
    assert_int_equal(server.run, 3591869805145389);
    assert_int_equal(server.position, 83886080);
    assert_true(server_read(&server, "1/2/3/4/primary"));
    assert_false(server.is_standby);
}

static void test_what_is_none(void **state)
{
    static const char *const texts[] = {NULL, "", "1", "1/2/3/4", "1/2/3/4/", "1//3/4/primary",
                                        "x"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct server server = {.system = 1, .timeline = 1};

        assert_false(server_read(&server, texts[i]));
        assert_true(server.system == 0 && server.timeline == 0);
    }
}

static void test_the_latest_timeline_stays(void **state)
{
    struct timelines timelines = {0};
    const struct server old = {.system = 9, .timeline = 1}, new = {.system = 9, .timeline = 3};
    const struct server standby = {.system = 9, .timeline = 4, .is_standby = true};
    struct timeline *entry = timelines_note(&timelines, &new);

    (void)state;
    assert_non_null(entry);
    assert_ptr_equal(timelines_note(&timelines, &old), entry);
    assert_ptr_equal(timelines_note(&timelines, &standby), entry);
    assert_int_equal(atomic_load(&entry->latest), 3);
}

static void test_systems_are_kept_apart(void **state)
{
    struct timelines timelines = {0};
    struct timeline *first =
        timelines_note(&timelines, &(struct server){.system = 1, .timeline = 5});

    (void)state;
    for (uint64_t system = 2; system <= TIMELINES_MAX; system++) {
        const struct server other = {.system = system, .timeline = 9};

        assert_non_null(timelines_note(&timelines, &other));
    }
    assert_int_equal(atomic_load(&first->latest), 5);
    assert_null(timelines_note(&timelines, &(struct server){.system = 99, .timeline = 9}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_read),
        cmocka_unit_test(test_what_is_none),
        cmocka_unit_test(test_the_latest_timeline_stays),
        cmocka_unit_test(test_systems_are_kept_apart),
    };

    return cmocka_run_group_tests_name("server", tests, NULL, NULL);
}
