/* From method and path to a target. */
#include "http/router.h"

#include <stdio.h>

#include "incoming.h"
#include "unit.h"

#define UUID "5a3e8b7c-1f94-4d60-8b2a-c6d7e9f0a418"

static struct router *router;

static int make_router(void **state)
{
    (void)state;
    router = router_new();
    /* Patterns with captures are added before literal ones, so that the order cannot decide. */
    router_add(router, METHOD_GET, "/api/activities/{uuid}", "show");
    router_add(router, METHOD_DELETE, "/api/activities/{uuid}", "remove");
    router_add(router, METHOD_GET, "/api/activities/@{handle}", "profile");
    router_add(router, METHOD_GET, "/api/activities/@{handle}/status/{uuid}", "status");
    router_add(router, METHOD_POST, "/api/activities/{uuid}/reply", "reply");
    router_add(router, METHOD_GET, "/api/activities/" UUID, "literal");
    router_add(router, METHOD_GET, "/api/activities/@all", "everyone");
    router_add(router, METHOD_GET, "/api/activities/home", "home");
    router_add(router, METHOD_GET, "/api/activities", "list");
    router_add(router, METHOD_POST, "/api/activities", "create");
    router_add(router, METHOD_PUT, "/api/users/@{handle}/follow", "follow");
    router_add(router, METHOD_DELETE, "/api/messages/{group_uuid}/{uuid}", "two");
    router_add(router, METHOD_GET, "/", "root");
    router_add(router, METHOD_GET, "/a/b/c/d/e/f/g/h", "eight");
    router_add(router, METHOD_GET, "/a/b/c/d/e/f/g/h/i", "nine, one too many");
    return 0;
}

static int free_router(void **state)
{
    (void)state;
    router_free(router);
    router_free(NULL);
    return 0;
}

struct row {
    const char *method;
    const char *uri;
    enum status status;
    const char *target;
    const char *captures[CAPTURES_MAX];
};

static void check(const struct row *row)
{
    struct incoming incoming;
    struct match match;
    char label[256];

    snprintf(label, sizeof label, "%s %s", row->method, row->uri);
    expect_integer(label, incoming_open(&incoming, row->method, row->uri, NULL), STATUS_OK);
    expect_integer(label, router_find(router, &incoming.request, &match), row->status);
    expect_text(label, match.target, row->target);
    for (size_t i = 0; row->target != NULL && i < CAPTURES_MAX; i++) {
        expect_text(label, incoming.request.capture[i], row->captures[i]);
    }
    incoming_close(&incoming);
}

static void check_all(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        check(&rows[i]);
    }
}

static void test_found(void **state)
{
    static const struct row rows[] = {
        {"GET", "/", STATUS_OK, "root", {NULL}},
        {"GET", "/api/activities", STATUS_OK, "list", {NULL}},
        {"GET", "/api/activities/home", STATUS_OK, "home", {NULL}},
        {"GET", "/api/activities/home?limit=1", STATUS_OK, "home", {NULL}},
        {"GET", "/api/%61ctivities/h%6Fme", STATUS_OK, "home", {NULL}},
        {"POST", "/api/activities", STATUS_OK, "create", {NULL}},
        {"GET", "/a/b/c/d/e/f/g/h", STATUS_OK, "eight", {NULL}},
    };

    (void)state;
    check_all(rows, COUNT_OF(rows));
}

static void test_captures(void **state)
{
    static const struct row rows[] = {
        {"GET",
         "/api/activities/00000000-0000-4000-8000-000000000000",
         STATUS_OK,
         "show",
         {"00000000-0000-4000-8000-000000000000"}},
        {"GET",
         "/api/activities/ABCDEF00-0000-4000-8000-000000000000",
         STATUS_OK,
         "show",
         {"ABCDEF00-0000-4000-8000-000000000000"}},
        {"GET", "/api/activities/@bayko", STATUS_OK, "profile", {"bayko"}},
        {"GET", "/api/activities/%40bayko", STATUS_OK, "profile", {"bayko"}},
        {"GET", "/api/activities/@@", STATUS_OK, "profile", {"@"}},
        {"GET", "/api/activities/@J%C3%BCrgen", STATUS_OK, "profile", {"J\xc3\xbcrgen"}},
        {"GET", "/api/activities/@a%2Fb", STATUS_OK, "profile", {"a/b"}}, /* not two segments */
        {"GET", "/api/activities/@a+b", STATUS_OK, "profile", {"a+b"}},
        {"GET", "/api/activities/@bayko/status/" UUID, STATUS_OK, "status", {"bayko", UUID}},
        {"POST", "/api/activities/" UUID "/reply", STATUS_OK, "reply", {UUID}},
        {"DELETE",
         "/api/messages/" UUID "/00000000-0000-4000-8000-000000000000",
         STATUS_OK,
         "two",
         {UUID, "00000000-0000-4000-8000-000000000000"}},
    };

    (void)state;
    check_all(rows, COUNT_OF(rows));
}

static void test_literal_wins_over_capture(void **state)
{
    static const struct row rows[] = {
        {"GET", "/api/activities/" UUID, STATUS_OK, "literal", {NULL}},
        {"GET", "/api/activities/@all", STATUS_OK, "everyone", {NULL}},
        /* The path decides before the method does. */
        {"DELETE", "/api/activities/" UUID, STATUS_METHOD_NOT_ALLOWED, NULL, {NULL}},
    };

    (void)state;
    check_all(rows, COUNT_OF(rows));
}

static void test_not_found(void **state)
{
    static const char *const uris[] = {
        "/api",
        "/api/",
        "/API/activities",
        "/api/activities/",
        "/api//activities",
        "//api/activities",
        "/api/activities//",
        "/api/activities/home/",
        "/api/activities/homes",
        "/api/activities/hom",
        "/api/activities/home/more",
        "/api%2Factivities",
        "/api%2Factivities/home",
        "/api/activities%2Fhome",
        "/api/activities/%2e%2e/activities",
        "/api/activities/../activities",
        "/api/./activities",
        "/api/activities/home%20",
        "/api/activities/home%3Flimit",
        "/api/activities/{uuid}",
        "/api/activities/%7Buuid%7D",
        "/api/activities/5a3e8b7c-1f94-4d60-8b2a-c6d7e9f0a41",
        "/api/activities/5a3e8b7c-1f94-4d60-8b2a-c6d7e9f0a4180",
        "/api/activities/5a3e8b7c1f944d608b2ac6d7e9f0a418",
        "/api/activities/@",
        "/api/activities/@/status/" UUID,
        "/api/activities/bayko/status/" UUID,
        "/api/activities/@bayko/status/1",
        "/api/activities/@bayko/status",
        "/a/b/c/d/e/f/g/h/",
        "/a/b/c/d/e/f/g/h/i",
        "/a/b/c/d/e/f/g/h/i?i",
        "/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t",
        "/a/b/c/d/e/f/g",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(uris); i++) {
        check(&(struct row){"GET", uris[i], STATUS_NOT_FOUND, NULL, {NULL}});
        check(&(struct row){"OPTIONS", uris[i], STATUS_NOT_FOUND, NULL, {NULL}});
    }
}

static void test_every_capture_of_a_path_is_its_own(void **state)
{
    struct incoming incoming;
    struct match match;

    (void)state;
    /* A pattern that fails in its last segment leaves nothing behind. */
    struct request *request = incoming_get(&incoming, "/api/activities/@x/status/no-uuid");
    assert_int_equal(router_find(router, request, &match), STATUS_NOT_FOUND);
    assert_null(request->capture[0]);
    assert_null(match.pattern);
    assert_int_equal(match.allowed, 0);
    incoming_close(&incoming);
}

static void test_methods(void **state)
{
    static const struct row rows[] = {
        {"HEAD", "/api/activities/home", STATUS_OK, "home", {NULL}},
        {"HEAD", "/api/activities", STATUS_OK, "list", {NULL}},
        {"HEAD", "/api/activities/" UUID "/reply", STATUS_METHOD_NOT_ALLOWED, NULL, {NULL}},
        {"GET", "/api/activities/" UUID "/reply", STATUS_METHOD_NOT_ALLOWED, NULL, {NULL}},
        {"POST", "/api/activities/home", STATUS_METHOD_NOT_ALLOWED, NULL, {NULL}},
        {"OPTIONS", "/api/activities/home", STATUS_METHOD_NOT_ALLOWED, NULL, {NULL}},
        {"PATCH", "/api/activities/home", STATUS_NOT_IMPLEMENTED, NULL, {NULL}},
        {"TRACE", "/api/activities/home", STATUS_NOT_IMPLEMENTED, NULL, {NULL}},
        {"get", "/api/activities/home", STATUS_NOT_IMPLEMENTED, NULL, {NULL}},
        {"GETS", "/api/activities/home", STATUS_NOT_IMPLEMENTED, NULL, {NULL}},
        {"", "/api/activities/home", STATUS_NOT_IMPLEMENTED, NULL, {NULL}},
        {"BREW", "/nowhere", STATUS_NOT_IMPLEMENTED, NULL, {NULL}},
    };

    (void)state;
    check_all(rows, COUNT_OF(rows));
}

static void test_allow(void **state)
{
    static const struct {
        const char *uri;
        const char *pattern;
        const char *allow;
    } rows[] = {
        {"/api/activities/home", "/api/activities/home", "GET, HEAD, OPTIONS"},
        {"/api/activities", "/api/activities", "GET, HEAD, POST, OPTIONS"},
        {"/api/activities/" UUID "/reply", "/api/activities/{uuid}/reply", "POST, OPTIONS"},
        {"/api/activities/00000000-0000-4000-8000-000000000000", "/api/activities/{uuid}",
         "GET, HEAD, DELETE, OPTIONS"},
        {"/api/users/@x/follow", "/api/users/@{handle}/follow", "PUT, OPTIONS"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct incoming incoming;
        struct match match;

        incoming_open(&incoming, "OPTIONS", rows[i].uri, NULL);
        expect_integer(rows[i].uri, router_find(router, &incoming.request, &match),
                       STATUS_METHOD_NOT_ALLOWED);
        expect_text(rows[i].uri, match.pattern, rows[i].pattern);
        expect_text(rows[i].uri, router_allow(&incoming.arena, match.allowed), rows[i].allow);
        incoming_close(&incoming);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found),
        cmocka_unit_test(test_captures),
        cmocka_unit_test(test_literal_wins_over_capture),
        cmocka_unit_test(test_not_found),
        cmocka_unit_test(test_every_capture_of_a_path_is_its_own),
        cmocka_unit_test(test_methods),
        cmocka_unit_test(test_allow),
    };

    return cmocka_run_group_tests_name("router", tests, make_router, free_router);
}
