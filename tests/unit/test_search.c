/* A search's term, and what is refused. */
#include "api/activities.h"

#include <stdio.h>
#include <string.h>

#include "db/catalog.h"
#include "incoming.h"
#include "unit.h"

struct handled {
    struct incoming incoming;
    struct response response;
    struct statement statement;
    enum decision decision;
};

static void search(struct handled *handled, const char *query, struct page page)
{
    static const struct caller caller = {.kind = CALLER_ANONYMOUS};
    struct arena arena = {0};

    incoming_get(&handled->incoming, arena_printf(&arena, "/api/activities/search%s", query));
    handled->response = (struct response){0};
    struct call call = {.request = &handled->incoming.request, .caller = &caller, .page = page};
    handled->decision = activities_search(&call, &handled->response, &handled->statement);
    arena_release(&arena);
}

static void done(struct handled *handled)
{
    response_release(&handled->response);
    incoming_close(&handled->incoming);
}

static void expect_bound(const struct handled *handled, const char *query, const char *parameter,
                         const char *value)
{
    const char *bound = statement_value(&handled->statement, parameter);

    expect(query, (bound == NULL) == (value == NULL));
    if (value != NULL) {
        expect_text(query, bound, value);
    }
}

/* The statement gets the term itself, with control characters as spaces; sql/schema.sql describes
 * its syntax. */
static void test_terms(void **state)
{
    static const struct {
        const char *term; /* percent-encoded */
        const char *value;
    } rows[] = {
        {"cats", "cats"},
        {"+two++cats+", " two  cats "},
        {"%22two+words%22+or+-dogs+%23one+@bay", "\"two words\" or -dogs #one @bay"},
        {"pasted%0D%0Aon+two%09lines", "pasted  on two lines"},
        {"%F0%9F%98%80", "\xf0\x9f\x98\x80"},
        {"---------------------------------", "---------------------------------"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct handled handled;
        char query[128];

        snprintf(query, sizeof query, "?term=%s", rows[i].term);
        search(&handled, query, (struct page){.limit = "7"});
        expect_integer(query, handled.decision, DECISION_ASK);
        expect(query, handled.statement.def == &ACTIVITIES_SEARCH);
        expect_bound(&handled, query, "term", rows[i].value);
        expect_bound(&handled, query, "limit", "7");
        done(&handled);
    }
}

static void test_refused(void **state)
{
    static const struct {
        const char *query;
        struct page page;
        int http;
        const char *codes;
    } rows[] = {
        {"", {.limit = "50"}, 422, "[\"search_term_blank\"]"},
        {"?term", {.limit = "50"}, 422, "[\"search_term_blank\"]"},
        {"?term=+%C2%A0%E3%80%80", {.limit = "50"}, 422, "[\"search_term_blank\"]"},
        {"?term=%09%0A%E2%80%8B%EF%BB%BF", {.limit = "50"}, 422, "[\"search_term_blank\"]"},
        {"?term=%00", {.limit = "50"}, 400, "[\"malformed_request\"]"},
        {"?term=a&term=a", {.limit = "50"}, 400, "[\"malformed_request\"]"},
        {"?term=a", {.limit = "50", .after_us = "1"}, 422, "[\"cursor_invalid\"]"},
        {"?term=",
         {.limit = "50", .after_us = "1"},
         422,
         "[\"search_term_blank\",\"cursor_invalid\"]"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct handled handled;

        search(&handled, rows[i].query, rows[i].page);
        expect_integer(rows[i].query, handled.decision, DECISION_RESPOND);
        expect_integer(rows[i].query, handled.response.http, rows[i].http);
        expect_text(rows[i].query, handled.response.body, rows[i].codes);
        done(&handled);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_terms),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests_name("search", tests, NULL, NULL);
}
