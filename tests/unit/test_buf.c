/* Growing text, and text made safe for JSON. */
#include "base/buf.h"

#include "unit.h"

static void test_grows_and_ends_with_nul(void **state)
{
    struct buf buf = {0};

    (void)state;
    for (size_t i = 0; i < 3000; i++) {
        buf_char(&buf, (char)('a' + i % 26));
        assert_int_equal(buf.length, i + 1);
        assert_true(buf.length < buf.size);
        assert_int_equal(buf.bytes[buf.length], '\0');
    }
    buf_clear(&buf);
    expect_text("cleared", buf.bytes, "");
    buf_text(&buf, "a");
    buf_append(&buf, "b\0c", 3);
    buf_printf(&buf, "%s%d", "d", 5);
    buf_printf(&buf, "%s", "");
    assert_int_equal(buf.length, 6);
    assert_memory_equal(buf.bytes, "ab\0cd5", 7);
    buf_release(&buf);
    assert_null(buf.bytes);
}

static void test_integers(void **state)
{
    static const struct {
        int64_t value;
        const char *text;
    } rows[] = {{0, "0"},
                {7, "7"},
                {-7, "-7"},
                {1234567890123, "1234567890123"},
                {INT64_MAX, "9223372036854775807"},
                {INT64_MIN, "-9223372036854775808"}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf buf = {0};

        buf_integer(&buf, rows[i].value);
        expect_text(rows[i].text, buf.bytes, rows[i].text);
        buf_release(&buf);
    }
}

/* The text is complete whatever room the buffer has left. */
static void test_formats_of_every_length(void **state)
{
    struct buf buf = {0};

    (void)state;
    for (int length = 0; length < 1200; length++) {
        buf_clear(&buf);
        buf_printf(&buf, "%*s", length, "");
        assert_int_equal(buf.length, length);
        assert_int_equal(strlen(buf.bytes), length);
        buf_release(&buf);
        buf_text(&buf, "0123456789");
        buf_printf(&buf, "%0*d", length, 0);
        assert_int_equal(buf.length, 10 + (length > 0 ? length : 1));
        assert_int_equal(strlen(buf.bytes), buf.length);
    }
    buf_release(&buf);
}

static void test_nothing_yet(void **state)
{
    struct buf buf = {0};

    (void)state;
    buf_clear(&buf);
    buf_release(&buf);
    buf_text(&buf, "");
    expect_text("empty text", buf.bytes, "");
    buf_release(&buf);
}

static void test_printf_longer_than_what_is_there(void **state)
{
    struct buf buf = {0};
    char text[5000];

    (void)state;
    memset(text, 'y', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    buf_printf(&buf, "<%s>", text);
    assert_int_equal(buf.length, sizeof text + 1);
    assert_int_equal(buf.bytes[buf.length - 1], '>');
    buf_release(&buf);
}

static void test_json_escaped(void **state)
{
    static const struct {
        const char *text;
        const char *escaped;
    } rows[] = {
        {"", ""},
        {"plain / text", "plain / text"},
        {"\"\\", "\\\"\\\\"},
        {"a\nb\tc\r", "a\\u000ab\\u0009c\\u000d"},
        {"\x01\x1f\x7f", "\\u0001\\u001f\\u007f"},
        {"\033[31m", "\\u001b[31m"},
        {"Gr\xc3\xbc\xc3\x9f"
         "e \xf0\x9f\x98\x80",
         "Gr\xc3\xbc\xc3\x9f"
         "e \xf0\x9f\x98\x80"},
        {"\xff", "\\ufffd"},
        {"a\xc3", "a\\ufffd"},
        {"\xc3(", "\\ufffd("},
        {"\xed\xa0\xbd", "\\ufffd\\ufffd\\ufffd"}, /* a surrogate */
        {"\xc0\xaf", "\\ufffd\\ufffd"},            /* an overlong slash */
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf buf = {0};

        buf_json_escaped(&buf, rows[i].text);
        expect_text(rows[i].escaped, buf.bytes != NULL ? buf.bytes : "", rows[i].escaped);
        buf_release(&buf);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grows_and_ends_with_nul),
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_formats_of_every_length),
        cmocka_unit_test(test_nothing_yet),
        cmocka_unit_test(test_printf_longer_than_what_is_there),
        cmocka_unit_test(test_json_escaped),
    };

    return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
