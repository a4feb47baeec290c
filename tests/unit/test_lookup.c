/* The addresses of a connection's hosts. */
#include "db/lookup.h"

#include <poll.h>

#include "unit.h"

enum { PATIENCE_MS = 10000 };

static void test_which_lists_need_it(void **state)
{
    static const struct {
        const char *hosts;
        bool is_needed;
    } rows[] = {
        {"", false},
        {"/run/postgresql", false},
        {"@abstract", false},
        {"127.0.0.1", false},
        {"::1", false},
        {"127.0.0.1,::1,/tmp", false},
        {"localhost", true},
        {"127.0.0.1,db.example", true},
        {"127.0.0.1.example", true},
        {"db1,db2", true},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        expect(rows[i].hosts, lookup_is_needed(rows[i].hosts) == rows[i].is_needed);
    }
}

static struct lookup *looked_up(const char *hosts, const char *ports)
{
    struct lookup *lookup = lookup_start(hosts, ports);

    assert_non_null(lookup);
    struct pollfd done = {.fd = lookup_fd(lookup), .events = POLLIN};
    assert_int_equal(poll(&done, 1, PATIENCE_MS), 1);
    return lookup;
}

/* Those of addresses and folders, for which no name server is asked. */
static void test_lists(void **state)
{
    static const struct {
        const char *hosts, *ports;
        struct addresses found;
    } rows[] = {
        {"127.0.0.1", NULL, {"127.0.0.1", "127.0.0.1", ""}},
        {"/tmp,127.0.0.1", "5433", {"/tmp,127.0.0.1", ",127.0.0.1", "5433,5433"}},
        {"::1,@x,127.0.0.2", "1,2,3", {"::1,@x,127.0.0.2", "::1,,127.0.0.2", "1,2,3"}},
        {"127.0.0.1,127.0.0.2", ",2", {"127.0.0.1,127.0.0.2", "127.0.0.1,127.0.0.2", ",2"}},
        {"no..name,127.0.0.2", "1,2", {"127.0.0.2", "127.0.0.2", "2"}},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct lookup *lookup = looked_up(rows[i].hosts, rows[i].ports);
        struct addresses found;
        const char *why;

        expect(rows[i].hosts, lookup_take(lookup, &found, &why));
        expect_text(rows[i].hosts, found.hosts, rows[i].found.hosts);
        expect_text(rows[i].hosts, found.addresses, rows[i].found.addresses);
        expect_text(rows[i].hosts, found.ports, rows[i].found.ports);
        lookup_free(lookup);
    }
}

static void test_nothing_found(void **state)
{
    struct lookup *lookup = looked_up("no..name", NULL);
    struct addresses found;
    const char *why;

    (void)state;
    assert_false(lookup_take(lookup, &found, &why));
    assert_non_null(strstr(why, "could not translate host name \"no..name\""));
    lookup_free(lookup);
}

static void test_given_up(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        lookup_free(lookup_start("localhost,127.0.0.1", NULL));
    }
    lookup_free(looked_up("localhost", NULL)); /* the threads of those before have had their time */
    lookup_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_which_lists_need_it),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_nothing_found),
        cmocka_unit_test(test_given_up),
    };

    return cmocka_run_group_tests_name("lookup", tests, NULL, NULL);
}
