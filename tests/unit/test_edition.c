/* Which posts of a page an earlier page did not have. */
#include "home/edition.h"

#include <stdio.h>

#include "base/buf.h"
#include "unit.h"

static const char TAG[] = "\"0123456789abcdef-00000001\"";

/* The page with the posts of these numbers, from first down to last. */
static struct edition edition_of(int first, int last)
{
    struct edition edition;
    struct buf body = {0};

    buf_char(&body, '[');
    for (int number = first; number >= last; number--) {
        buf_printf(&body,
                   "%s{\"uuid\":\"00000000-0000-4000-8000-%012d\",\"message\":\"a \\\" "
                   "[{\\\"uuid\\\":\\\" \\\\\",\"replies\":[{\"uuid\":\"x\"}]}",
                   number < first ? ", \n " : "", number);
    }
    buf_char(&body, ']');
    edition_take(&edition, TAG, body.bytes, body.length);
    buf_release(&body);
    return edition;
}

static struct edition read_back(const struct edition *edition)
{
    struct edition read;
    struct buf id = {0};

    edition_write_id(edition, &id);
    assert_true(edition_read_id(&read, id.bytes));
    buf_release(&id);
    return read;
}

static void test_what_a_page_has(void **state)
{
    struct edition edition = edition_of(3, 1);

    (void)state;
    assert_int_equal(edition.count, 3);
    assert_string_equal(edition.etag, TAG);
    assert_int_equal(edition_of(0, 1).count, 0);
    assert_int_equal(edition_of(EDITION_POSTS_MAX + 1, 1).count, EDITION_POSTS_MAX);
}

static void test_an_id_is_read_as_it_was_written(void **state)
{
    (void)state;
    for (int count = 0; count <= EDITION_POSTS_MAX; count++) {
        struct edition written = edition_of(count, 1), read = read_back(&written);

        assert_int_equal(read.count, count);
        assert_string_equal(read.etag, TAG);
        assert_memory_equal(read.posts, written.posts, sizeof read.posts);
    }
}

static void test_what_is_no_id(void **state)
{
    static const char *const ids[] = {
        NULL,
        "",
        "1",
        "0123456789abcdef-00000001",
        "\"0123456789abcdef-00000001\".AAAA",
        "0123456789abcdeg-00000001.AAAA",
        "0123456789abcdef-000000011.AAAA",
        "0123456789abcdef-0000001.AAAA",
        "0123456789abcdef-00000001.AAA",
        "0123456789abcdef-00000001.AAAA=",
        "0123456789abcdef-00000001.AA+A",
        "0123456789abcdef-00000001.AAAA AAAA",
    };
    struct edition edition;
    char longest[26 + 4 * EDITION_POSTS_MAX + 5];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        expect(ids[i] != NULL ? ids[i] : "NULL", !edition_read_id(&edition, ids[i]));
    }
    snprintf(longest, sizeof longest, "0123456789abcdef-00000001.%0*d", 4 * EDITION_POSTS_MAX, 0);
    assert_true(edition_read_id(&edition, longest));
    snprintf(longest, sizeof longest, "0123456789abcdef-00000001.%0*d", 4 * EDITION_POSTS_MAX + 4,
             0);
    assert_false(edition_read_id(&edition, longest));
}

static void test_news(void **state)
{
    /* The first and last post of both pages, and how many posts are new. 50 are a full page. */
    static const struct {
        const char *label;
        int then_first, then_last, now_first, now_last, news;
    } rows[] = {
        {"nothing changed", 9, 1, 9, 1, 0},
        {"three more", 9, 1, 12, 1, 3},
        {"the first", 0, 1, 1, 1, 1},
        {"all are gone", 9, 1, 0, 1, 0},
        {"one is deleted", 9, 1, 8, 1, 0},
        {"all are gone, and there are others", 9, 1, 12, 10, 3},
        {"a full page moves", 50, 1, 53, 4, 3},
        {"an older one takes the place of one that is gone", 51, 2, 50, 1, 0},
        {"a full page but for the last moves", 50, 1, 99, 50, 49},
        {"a full page of others", 50, 1, 100, 51, EDITION_UNKNOWN},
        {"a full page behind few", 9, 1, 58, 9, 49},
        {"a full page of others behind few", 9, 1, 59, 10, EDITION_UNKNOWN},
        {"a full page behind nothing", 0, 1, 50, 1, EDITION_UNKNOWN},
        {"all are gone of a full page", 50, 1, 0, 1, 0},
        {"others after a full page", 50, 1, 60, 58, EDITION_UNKNOWN},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct edition then = edition_of(rows[i].then_first, rows[i].then_last);
        struct edition now = edition_of(rows[i].now_first, rows[i].now_last);
        struct edition read = read_back(&then);

        expect_integer(rows[i].label, edition_news(&then, &now), rows[i].news);
        expect_integer(rows[i].label, edition_news(&read, &now), rows[i].news);
    }
}

/* A transaction that began before another one may commit after it. */
static void test_a_new_post_below_another(void **state)
{
    struct edition then = edition_of(9, 1), now = then;

    (void)state;
    then.posts[4] = then.posts[8];
    then.count = 8;
    assert_int_equal(edition_news(&then, &now), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_a_page_has),
        cmocka_unit_test(test_an_id_is_read_as_it_was_written),
        cmocka_unit_test(test_what_is_no_id),
        cmocka_unit_test(test_news),
        cmocka_unit_test(test_a_new_post_below_another),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
