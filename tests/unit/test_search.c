/* A search's term, cut into what its statement wants. */
#include "api/search.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
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
    handled->decision = search_activities(&call, &handled->response, &handled->statement);
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

static void test_parts(void **state)
{
    static const struct {
        const char *term; /* percent-encoded */
        const char *handle, *words, *others, *start, *tags, *text;
    } rows[] = {
        {"cats", NULL, "cats", NULL, "cats", NULL, "cats"},
        {"+two++cats+", NULL, "two cats", "two", "cats", NULL, "two cats"},
        {"a%E3%80%80b%C2%A0c", NULL, "a b c", "a b", "c", NULL, "a b c"},
        {"@bay", "bay", NULL, NULL, NULL, NULL, NULL},
        {"@bay+cats", "bay", "cats", NULL, "cats", NULL, "cats"},
        {"cats+@bay", "bay", "cats", NULL, "cats", NULL, "cats"},
        {"@a+@b", "a", "@b", NULL, "@b", NULL, "@b"},
        {"@+@b", "b", "@", NULL, "@", NULL, "@"},
        {"%23one", NULL, NULL, NULL, NULL, "#one", "#one"},
        {"cats+%23one+%23Two", NULL, "cats", NULL, "cats", "#one #Two", "cats #one #Two"},
        {"%23", NULL, "#", NULL, "#", NULL, "#"},
        {"%22two+words%22", NULL, "\"two words\"", "\"two", NULL, NULL, "\"two words\""},
        {"%22a+%23b+@c%22+d", NULL, "\"a #b @c\" d", "\"a #b @c\"", "d", NULL, "\"a #b @c\" d"},
        {"%22open+@c", NULL, "\"open @c", "\"open", NULL, NULL, "\"open @c"},
        {"cats+-dogs", NULL, "cats -dogs", "cats", NULL, NULL, "cats -dogs"},
        {"cats+or+dogs", NULL, "cats or dogs", "cats or", NULL, NULL, "cats or dogs"},
        {"cats+OR", NULL, "cats OR", "cats", NULL, NULL, "cats OR"},
        {"a+or+b+c", NULL, "a or b c", "a or b", "c", NULL, "a or b c"},
        {"%F0%9F%98%80", NULL, "\xf0\x9f\x98\x80", NULL, "\xf0\x9f\x98\x80", NULL,
         "\xf0\x9f\x98\x80"},
        {"100%25", NULL, "100%", NULL, "100%", NULL, "100%"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct handled handled;
        char query[128];

        snprintf(query, sizeof query, "?term=%s", rows[i].term);
        search(&handled, query, (struct page){.limit = "7"});
        expect_integer(query, handled.decision, DECISION_ASK);
        expect_integer(query, handled.statement.id, STATEMENT_ACTIVITIES_SEARCH);
        expect_bound(&handled, query, "handle", rows[i].handle);
        expect_bound(&handled, query, "words", rows[i].words);
        expect_bound(&handled, query, "others", rows[i].others);
        expect_bound(&handled, query, "start", rows[i].start);
        expect_bound(&handled, query, "tags", rows[i].tags);
        expect_bound(&handled, query, "text", rows[i].text);
        expect_bound(&handled, query, "limit", "7");
        done(&handled);
    }
}

/* 32 parts count; what stands behind them doesn't, and doesn't make the last one a start. */
static void test_so_many_parts(void **state)
{
    (void)state;
    for (int count = 31; count <= 34; count++) {
        struct buf query = {0}, words = {0};
        struct handled handled;

        buf_text(&query, "?term=@bay");
        for (int i = 2; i <= count; i++) {
            buf_printf(&query, "+w%d", i);
            if (i <= 32) {
                buf_printf(&words, "%sw%d", i == 2 ? "" : " ", i);
            }
        }
        search(&handled, query.bytes, (struct page){.limit = "7"});
        expect_integer(query.bytes, handled.decision, DECISION_ASK);
        expect_bound(&handled, query.bytes, "handle", "bay");
        expect_bound(&handled, query.bytes, "words", words.bytes);
        expect_bound(&handled, query.bytes, "start", count > 32 ? NULL : strrchr(words.bytes, 'w'));
        done(&handled);
        buf_release(&query);
        buf_release(&words);
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
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_so_many_parts),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests_name("search", tests, NULL, NULL);
}
