/* Only a few of many warnings are logged. */
#include "db/notices.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/repeats.h"
#include "capture.h"
#include "unit.h"

static size_t lines_of(const char *const *texts, size_t count, size_t times)
{
    struct buf said = {0};

    capture_start();
    for (size_t i = 0; i < count * times; i++) {
        notices_note(texts[i % count]);
    }
    size_t lines = capture_stop(&said);
    buf_release(&said);
    return lines;
}

static void test_a_text_is_logged_once(void **state)
{
    static const char *const texts[] = {"one thing", "another thing\nand its details"};

    (void)state;
    assert_int_equal(lines_of(texts, COUNT_OF(texts), 100), 2);
    assert_int_equal(lines_of(texts, COUNT_OF(texts), 100), 0);
}

static void test_numbers_make_no_other_text(void **state)
{
    static const char *const texts[] = {"vacuum within 39999999 transactions",
                                        "vacuum within 39999998 transactions", "12", "3"};

    (void)state;
    assert_int_equal(lines_of(texts, COUNT_OF(texts), 1), 2);
}

static void test_too_many_texts_share_a_line(void **state)
{
    char texts[100][16];
    const char *all[100];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        snprintf(texts[i], sizeof texts[i], "%c%c", (char)('a' + i % 10), (char)('a' + i / 10));
        all[i] = texts[i];
    }
    size_t lines = lines_of(all, COUNT_OF(texts), 3);
    assert_in_range(lines, 1, REPEATS_MAX + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_text_is_logged_once),
        cmocka_unit_test(test_numbers_make_no_other_text),
        cmocka_unit_test(test_too_many_texts_share_a_line),
    };

    return cmocka_run_group_tests_name("notices", tests, NULL, NULL);
}
