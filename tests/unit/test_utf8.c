/* RFC 3629: which bytes are UTF-8. */
#include "base/utf8.h"

#include <stdio.h>

#include "unit.h"

enum { FIRST_SURROGATE = 0xd800, LAST_SURROGATE = 0xdfff, LAST_CODE_POINT = 0x10ffff };

/* The shortest length that a code point (or a number beyond them) can have. */
static size_t shortest(uint32_t code)
{
    return code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
}

/* Encodes in exactly `length` bytes, whether that is proper or not. */
static void encode(uint32_t code, size_t length, char bytes[static 4])
{
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};

    for (size_t i = length; i-- > 1; code >>= 6) {
        bytes[i] = (char)(0x80 | (code & 0x3f));
    }
    bytes[0] = (char)(lead[length] | code);
}

static void expect_sequence(uint32_t code, size_t length, size_t wanted)
{
    char bytes[4], label[64];

    encode(code, length, bytes);
    snprintf(label, sizeof label, "U+%04X in %zu bytes", (unsigned)code, length);
    expect_integer(label, (long long)utf8_sequence(bytes, length), (long long)wanted);
}

static void test_every_code_point(void **state)
{
    (void)state;
    for (uint32_t code = 0; code <= LAST_CODE_POINT; code++) {
        bool is_surrogate = code >= FIRST_SURROGATE && code <= LAST_SURROGATE;

        expect_sequence(code, shortest(code), is_surrogate ? 0 : shortest(code));
    }
}

static void test_every_overlong_form(void **state)
{
    (void)state;
    for (uint32_t code = 0; code < 0x10000; code++) {
        for (size_t length = shortest(code) + 1; length <= 4; length++) {
            expect_sequence(code, length, 0);
        }
    }
}

static void test_beyond_unicode(void **state)
{
    (void)state;
    for (uint32_t code = LAST_CODE_POINT + 1; code <= 0x1fffff; code++) {
        expect_sequence(code, 4, 0);
    }
}

static void test_every_first_byte_that_starts_nothing(void **state)
{
    (void)state;
    for (unsigned byte = 0x80; byte <= 0xff; byte++) {
        const char bytes[4] = {(char)byte, (char)0x90, (char)0x80, (char)0x80};
        bool starts = byte >= 0xc2 && byte <= 0xf4;

        if (!starts) {
            expect_integer("first byte", (long long)utf8_sequence(bytes, 4), 0);
        }
        expect_integer("alone", (long long)utf8_sequence(bytes, 1), 0);
    }
}

/* The first and the last of each row of the RFC's table. */
static const struct {
    const char *bytes;
    size_t length;
} ENDS[] = {
    {"\xc2\x80", 2},         {"\xdf\xbf", 2},         {"\xe0\xa0\x80", 3},
    {"\xe0\xbf\xbf", 3},     {"\xe1\x80\x80", 3},     {"\xec\xbf\xbf", 3},
    {"\xed\x80\x80", 3},     {"\xed\x9f\xbf", 3},     {"\xee\x80\x80", 3},
    {"\xef\xbf\xbf", 3},     {"\xf0\x90\x80\x80", 4}, {"\xf0\xbf\xbf\xbf", 4},
    {"\xf1\x80\x80\x80", 4}, {"\xf3\xbf\xbf\xbf", 4}, {"\xf4\x80\x80\x80", 4},
    {"\xf4\x8f\xbf\xbf", 4},
};

static void test_truncated(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(ENDS); i++) {
        for (size_t available = 0; available < ENDS[i].length; available++) {
            expect_integer(ENDS[i].bytes, (long long)utf8_sequence(ENDS[i].bytes, available), 0);
        }
        expect("whole", utf8_valid(ENDS[i].bytes, ENDS[i].length));
    }
}

static void test_wrong_continuation(void **state)
{
    static const unsigned char wrong[] = {0x00, 0x7f, 0xc0, 0xff};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ENDS); i++) {
        for (size_t at = 1; at < ENDS[i].length; at++) {
            for (size_t k = 0; k < COUNT_OF(wrong); k++) {
                char bytes[4] = {0};

                memcpy(bytes, ENDS[i].bytes, ENDS[i].length);
                bytes[at] = (char)wrong[k];
                expect(ENDS[i].bytes, !utf8_valid(bytes, ENDS[i].length));
            }
        }
    }
}

static void test_text(void **state)
{
    static const char good[] = "Gr\xc3\xbc\xc3\x9f"
                               "e \xe2\x82\xac \xf0\x9f\x98\x80\0.";

    (void)state;
    expect("mixed, with a NUL", utf8_valid(good, sizeof good));
    expect("empty", utf8_valid("", 0));
    expect("Latin-1", !utf8_valid("Gr\xfc\xdf", 4));
    expect("cut in its last character", !utf8_valid("abc\xf0\x9f\x98", 6));
    expect("CESU-8", !utf8_valid("\xed\xa0\xbd\xed\xb8\x80", 6));
}

static void test_code_points(void **state)
{
    static const struct {
        const char *text;
        size_t count;
    } rows[] = {
        {"", 0},
        {"abc", 3},
        {"\xc3\xbc", 1},
        {"u\xcc\x88", 2}, /* a letter and its combining mark */
        {"\xe2\x82\xac", 1},
        {"\xf0\x9f\x98\x80", 1},
        {"\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa7", 3}, /* joined by U+200D */
        {"\xf0\x9f\x87\xa8\xf0\x9f\x87\xad", 2},             /* a flag */
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        expect_integer(rows[i].text, (long long)utf8_code_points(rows[i].text),
                       (long long)rows[i].count);
    }
}

static void test_blank(void **state)
{
    static const struct {
        const char *text;
        bool is_blank;
        bool has_control;
    } rows[] = {
        {"", true, false},
        {" \t\r\n\x01\x7f", true, true},
        {"\u00a0\u00ad\u034f\u1680\u2007\u202f\u205f\u2800\u3000", true, false},
        {"\u115f\u3164\uffa0", true, false},
        {"\u200b\u200e\u2060\ufe0f\ufeff\ufff8", true, false},
        {"\U0001d173\U0001d17a\U000e0000\U000e0fff", true, false},
        {"\u2028", true, true},
        {"\u202a\u202e\u2066\u2069", true, true},
        {"\xc2\x85", true, true},
        {"\u2069 a", false, true},
        {"a\u200d ", false, false},
        {"\u00a1", false, false},
        {"\u2801", false, false},
        {"\ufff9", false, false},
        {"\u2065\u2070", false, false},
        {"\U000e1000", false, false},
        {"\U0010ffff", false, false},
        {"\u0301", false, false}, /* a mark is visible without its letter */
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        expect_integer(rows[i].text, utf8_is_blank(rows[i].text), rows[i].is_blank);
        expect_integer(rows[i].text, utf8_has_control(rows[i].text), rows[i].has_control);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_code_point),
        cmocka_unit_test(test_every_overlong_form),
        cmocka_unit_test(test_beyond_unicode),
        cmocka_unit_test(test_every_first_byte_that_starts_nothing),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_wrong_continuation),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_code_points),
        cmocka_unit_test(test_blank),
    };

    return cmocka_run_group_tests_name("utf8", tests, NULL, NULL);
}
