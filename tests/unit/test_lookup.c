/* The addresses of a connection's hosts. */
#include "db/lookup.h"

#include <poll.h>

#include "unit.h"

enum { PATIENCE_MS = 10000 };

enum { TARGETS_MAX = 4 };

static struct lookup *looked_up(const char *hosts, const char *addresses, const char *ports)
{
    struct lookup *lookup = lookup_start(hosts, addresses, ports);

    assert_non_null(lookup);
    struct pollfd done = {.fd = lookup_fd(lookup), .events = POLLIN};
    if (!lookup_is_done(lookup)) {
        assert_int_equal(poll(&done, 1, PATIENCE_MS), 1);
    }
    return lookup;
}

/* Hosts for which no name server is asked. */
static void test_lists(void **state)
{
    static const struct {
        const char *hosts, *addresses, *ports;
        struct {
            const char *host, *address, *port;
        } found[TARGETS_MAX];
        bool is_done;
    } rows[] = {
        {NULL, NULL, "5432", {{NULL, NULL, "5432"}}, true},
        {"", NULL, NULL, {{NULL, NULL, NULL}}, true},
        {"127.0.0.1", NULL, NULL, {{"127.0.0.1", "127.0.0.1", NULL}}, true},
        {"/tmp,127.0.0.1",
         NULL,
         "5433",
         {{"/tmp", NULL, "5433"}, {"127.0.0.1", "127.0.0.1", "5433"}},
         true},
        {"::1,@x,127.0.0.2",
         NULL,
         "1,2,3",
         {{"::1", "::1", "1"}, {"@x", NULL, "2"}, {"127.0.0.2", "127.0.0.2", "3"}},
         true},
        {"127.0.0.1,127.0.0.2",
         NULL,
         ",2",
         {{"127.0.0.1", "127.0.0.1", "5432"}, {"127.0.0.2", "127.0.0.2", "2"}},
         true},
        {"a,b", "10.0.0.1,::1", "1", {{"a", "10.0.0.1", "1"}, {"b", "::1", "1"}}, true},
        {NULL,
         "10.0.0.1,10.0.0.2",
         "1,2",
         {{NULL, "10.0.0.1", "1"}, {NULL, "10.0.0.2", "2"}},
         true},
        {"no..name,127.0.0.2", NULL, "1,2", {{"127.0.0.2", "127.0.0.2", "2"}}, false},
        {"no..name,b", ",10.0.0.2", "1", {{"b", "10.0.0.2", "1"}}, false},
        /* lists of unequal length, which libpq refuses */
        {"a,b", NULL, "1,2,3", {{"a,b", "a,b", "1,2,3"}}, true},
        {"a,b", "10.0.0.1", "1", {{"a,b", "10.0.0.1", "1"}}, true},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *name = rows[i].hosts != NULL ? rows[i].hosts : "none";
        struct lookup *lookup = looked_up(rows[i].hosts, rows[i].addresses, rows[i].ports);
        const struct target *targets;
        size_t count;
        struct error error;

        expect(name, lookup_is_done(lookup) == rows[i].is_done);
        expect(name, lookup_take(lookup, &targets, &count, &error));
        for (size_t at = 0; at < count; at++) {
            expect_text(name, targets[at].host, rows[i].found[at].host);
            expect_text(name, targets[at].address, rows[i].found[at].address);
            expect_text(name, targets[at].port, rows[i].found[at].port);
        }
        expect(name, rows[i].found[count].host == NULL && rows[i].found[count].address == NULL);
        lookup_free(lookup);
    }
}

static void test_nothing_found(void **state)
{
    struct lookup *lookup = looked_up("no..name", NULL, NULL);
    const struct target *targets;
    size_t count;
    struct error error;

    (void)state;
    assert_false(lookup_take(lookup, &targets, &count, &error));
    assert_non_null(strstr(error.text, "could not translate host name \"no..name\""));
    lookup_free(lookup);
}

static void test_given_up(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        lookup_free(lookup_start("localhost,127.0.0.1", NULL, NULL));
    }
    lookup_free(
        looked_up("localhost", NULL, NULL)); /* meanwhile the threads of the others could end */
    lookup_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_nothing_found),
        cmocka_unit_test(test_given_up),
    };

    return cmocka_run_group_tests_name("lookup", tests, NULL, NULL);
}
