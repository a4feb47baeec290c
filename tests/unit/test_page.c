/* Pages of lists, and their cursors. */
#include "http/page.h"

#include <stdio.h>

#include "base/base64url.h"
#include "http/response.h"
#include "incoming.h"
#include "unit.h"

#define UUID "5a3e8b7c-1f94-4d60-8b2a-c6d7e9f0a418"
#define KEY "1767225600123456/" UUID

static enum status open_page(struct incoming *incoming, const char *uri, struct page *page)
{
    return page_from_query(incoming_get(incoming, uri), PAGE_LIMIT_DEFAULT, page);
}

static void test_limits(void **state)
{
    static const struct {
        const char *uri;
        const char *limit; /* NULL: refused */
    } rows[] = {
        {"/", "50"},
        {"/?limit=1", "1"},
        {"/?limit=199", "199"},
        {"/?limit=200", "200"},
        {"/?limit=%31", "1"},
        {"/?limit=050", "050"},
        {"/?limit=0", NULL},
        {"/?limit=00", NULL},
        {"/?limit=201", NULL},
        {"/?limit=999", NULL},
        {"/?limit=1000", NULL},
        {"/?limit=0001", NULL},
        {"/?limit=99999999999999999999", NULL},
        {"/?limit=18446744073709551617", NULL},
        {"/?limit=", NULL},
        {"/?limit", NULL},
        {"/?limit=-1", NULL},
        {"/?limit=+1", NULL},
        {"/?limit=%2B1", NULL},
        {"/?limit=1.0", NULL},
        {"/?limit=1e2", NULL},
        {"/?limit=0x1", NULL},
        {"/?limit=1%20", NULL},
        {"/?limit=1%00", NULL},
        {"/?limit=%EF%BC%91", NULL}, /* a full-width digit */
        {"/?limit=5&limit=5", NULL},
        {"/?limit=all", NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct incoming incoming;
        struct page page;

        expect_integer(rows[i].uri, open_page(&incoming, rows[i].uri, &page),
                       rows[i].limit != NULL ? STATUS_OK : STATUS_LIMIT_INVALID);
        if (rows[i].limit != NULL) {
            expect_text(rows[i].uri, page.limit, rows[i].limit);
            assert_null(page.after_us);
            assert_null(page.after_uuid);
        }
        incoming_close(&incoming);
    }
}

/* The cursor that page_link_next gives for a key, without the rest of the header. */
static const char *cursor_for(const char *key)
{
    static char cursor[256];
    struct incoming incoming;
    struct response response = {0};
    struct page page;

    assert_int_equal(open_page(&incoming, "/list?limit=7", &page), STATUS_OK);
    page_link_next(&response, &incoming.request, "/api/list", &page, key);
    static const char start[] = "Link: </api/list?limit=7&cursor=";
    static const char end[] = ">; rel=\"next\"\r\n";
    expect("start", strncmp(response.headers.bytes, start, sizeof start - 1) == 0);
    size_t length = response.headers.length - (sizeof start - 1) - (sizeof end - 1);
    expect_text("end", response.headers.bytes + sizeof start - 1 + length, end);
    snprintf(cursor, sizeof cursor, "%.*s", (int)length, response.headers.bytes + sizeof start - 1);
    response_release(&response);
    incoming_close(&incoming);
    return cursor;
}

static enum status open_cursor(struct incoming *incoming, const char *cursor, struct page *page)
{
    char uri[1100];

    snprintf(uri, sizeof uri, "/list?cursor=%s", cursor);
    return open_page(incoming, uri, page);
}

static void test_cursor_round_trip(void **state)
{
    static const struct {
        const char *key;
        const char *after_us;
    } rows[] = {
        {KEY, "1767225600123456"},
        {"0/" UUID, "0"},
        {"253402300799999999/" UUID, "253402300799999999"}, /* the end of the year 9999 */
        {"999999999999999999/" UUID, "999999999999999999"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct incoming incoming;
        struct page page;
        const char *cursor = cursor_for(rows[i].key);

        assert_int_equal(strspn(cursor, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                        "0123456789-_"),
                         strlen(cursor));
        expect_integer(rows[i].key, open_cursor(&incoming, cursor, &page), STATUS_OK);
        expect_text(rows[i].key, page.after_us, rows[i].after_us);
        expect_text(rows[i].key, page.after_uuid, UUID);
        expect_text(rows[i].key, page.limit, "50");
        incoming_close(&incoming);
    }
}

/* A cursor that also has the list's view. */
static void test_cursor_with_a_view(void **state)
{
    static const char key[] = KEY "/1795281438586276/740:745:740,743";
    struct incoming incoming;
    struct page page;

    (void)state;
    assert_int_equal(open_cursor(&incoming, cursor_for(key), &page), STATUS_OK);
    expect_text("after_uuid", page.after_uuid, UUID);
    expect_text("view", page.view, "1795281438586276/740:745:740,743");
    incoming_close(&incoming);
}

/* What ?since= stands for: a row's key or a view. */
static void test_since(void **state)
{
    static const struct {
        const char *text;
        const char *us, *uuid; /* of a key */
        enum status status;
    } rows[] = {
        {KEY, "1767225600123456", UUID, STATUS_OK},
        {"17/740:745:740,743", NULL, NULL, STATUS_OK},
        {"17/740:745:740,743x", NULL, NULL, STATUS_CURSOR_INVALID},
        {"/740:745:", NULL, NULL, STATUS_CURSOR_INVALID},
        {"-1/740:745:", NULL, NULL, STATUS_CURSOR_INVALID},
        {KEY "/17/740:745:", NULL, NULL, STATUS_CURSOR_INVALID},
        {"", NULL, NULL, STATUS_CURSOR_INVALID},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct incoming incoming;
        struct page page;
        char since[256], uri[512];

        base64url_encode((const unsigned char *)rows[i].text, strlen(rows[i].text), since);
        snprintf(uri, sizeof uri, "/list?since=%s", since);
        expect_integer(rows[i].text, open_page(&incoming, uri, &page), rows[i].status);
        if (rows[i].status == STATUS_OK) {
            expect_text(rows[i].text, page.since, rows[i].text);
            expect_text(rows[i].text, page.since_us, rows[i].us);
            expect_text(rows[i].text, page.since_uuid, rows[i].uuid);
            expect_text(rows[i].text, page.since_text, since);
        }
        incoming_close(&incoming);
    }
}

/* The first page has a header that says what it has seen; a later page has none. */
static void test_what_was_seen(void **state)
{
    const struct page first = {.limit = "50"}, later = {.limit = "50", .after_us = "1"};
    struct incoming incoming;
    struct response response = {0};

    (void)state;
    incoming_get(&incoming, "/list");
    page_tell_seen(&response, &incoming.request, &later, KEY);
    page_tell_seen(&response, &incoming.request, &first, NULL);
    assert_int_equal(response.headers.length, 0);
    page_tell_seen(&response, &incoming.request, &first, "1/1:1:");
    expect_text("header", response.headers.bytes, "Cruddur-Since: MS8xOjE6\r\n");
    response_release(&response);
    incoming_close(&incoming);
}

static void expect_refused(const char *cursor)
{
    struct incoming incoming;
    struct page page;

    expect_integer(cursor, open_cursor(&incoming, cursor, &page), STATUS_CURSOR_INVALID);
    incoming_close(&incoming);
}

static void test_keys_that_we_never_gave(void **state)
{
    static const char *const keys[] = {
        "",
        "/",
        "1",
        "1/",
        "/" UUID,
        "-1/" UUID,
        "+1/" UUID,
        " 1/" UUID,
        "1 /" UUID,
        "1.5/" UUID,
        "1//" UUID,
        "1:" UUID,
        "1/" UUID "/",
        "1/" UUID " ",
        "1/" UUID "0",
        "1/5a3e8b7c-1f94-4d60-8b2a-c6d7e9f0a41",
        "1/5a3e8b7c-1f94-4d60-8b2a-c6d7e9f0a41g",
        "1/' or true --",
        "x/" UUID,
        "0x1/" UUID,
        "1000000000000000000/" UUID, /* 19 digits */
        "99999999999999999999999999/" UUID,
        "infinity/" UUID,
        "\xc3\xbc/" UUID,
        "\xff/" UUID,
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        char cursor[256];

        base64url_encode((const unsigned char *)keys[i], strlen(keys[i]), cursor);
        expect_refused(cursor);
    }
}

static void test_nul_in_a_key(void **state)
{
    static const char key[] = KEY "\0more";
    char cursor[256];

    (void)state;
    base64url_encode((const unsigned char *)key, sizeof KEY, cursor);
    expect_refused(cursor);
    base64url_encode((const unsigned char *)"1\0/" UUID, 3 + sizeof UUID - 1, cursor);
    expect_refused(cursor);
}

static void test_tampered_text(void **state)
{
    static const char *const rows[] = {
        "!", "a b", "====", "%00", "%ff", "a%", "%0d%0aSet-Cookie:x"};
    char cursor[256], changed[1000];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        expect_refused(rows[i]);
    }
    snprintf(cursor, sizeof cursor, "%s", cursor_for(KEY));
    snprintf(changed, sizeof changed, "%s=", cursor);
    expect_refused(changed);
    snprintf(changed, sizeof changed, "%s&cursor=%s", cursor, cursor);
    expect_refused(changed);
    for (size_t length = 0; length < strlen(cursor); length++) {
        snprintf(changed, sizeof changed, "%.*s", (int)length, cursor);
        expect_refused(changed);
    }
    for (size_t length = strlen(cursor) + 1; length < sizeof changed - 1; length++) {
        memset(changed, 'A', length);
        changed[length] = '\0';
        expect_refused(changed);
    }
}

static void test_limit_is_told_before_cursor(void **state)
{
    struct incoming incoming;
    struct page page;

    (void)state;
    assert_int_equal(open_page(&incoming, "/?cursor=!&limit=0", &page), STATUS_LIMIT_INVALID);
    incoming_close(&incoming);
}

static void test_last_page_has_no_link(void **state)
{
    struct incoming incoming;
    struct response response = {0};
    struct page page;

    (void)state;
    assert_int_equal(open_page(&incoming, "/", &page), STATUS_OK);
    page_link_next(&response, &incoming.request, "/api/list", &page, NULL);
    assert_int_equal(response.headers.length, 0);
    incoming_close(&incoming);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_cursor_round_trip),
        cmocka_unit_test(test_cursor_with_a_view),
        cmocka_unit_test(test_since),
        cmocka_unit_test(test_what_was_seen),
        cmocka_unit_test(test_keys_that_we_never_gave),
        cmocka_unit_test(test_nul_in_a_key),
        cmocka_unit_test(test_tampered_text),
        cmocka_unit_test(test_limit_is_told_before_cursor),
        cmocka_unit_test(test_last_page_has_no_link),
    };

    return cmocka_run_group_tests_name("page", tests, NULL, NULL);
}
