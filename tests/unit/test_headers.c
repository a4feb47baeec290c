/* A file's header lines. */
#include "base/headers.h"

#include <stdlib.h>

#include "base/buf.h"
#include "unit.h"

static void take(void *context, const char *line)
{
    buf_text(context, line);
    buf_char(context, '\n');
}

static void test_lines(void **state)
{
    static const struct {
        const char *text;
        const char *taken; /* NULL: refused */
        const char *error;
    } rows[] = {
        {"", "", ""},
        {"x-honeycomb-team: key", "x-honeycomb-team: key\n", ""},
        {"a: 1\nb:2\n", "a: 1\nb:2\n", ""},
        {"# a comment\n\na: 1\n\n", "a: 1\n", ""},
        {"a: b: c\td \xc3\xbc", "a: b: c\td \xc3\xbc\n", ""},
        {"!#$%&'*+-.^_`|~09azAZ: v", "!#$%&'*+-.^_`|~09azAZ: v\n", ""},
        {"s3cret", NULL, "line 1 "},
        {"a: 1\ns3cret\n", NULL, "line 2 "},
        {"# c\n\n: s3cret", NULL, "line 3 "},
        {"a b: s3cret", NULL, "line 1 "},
        {" a: s3cret", NULL, "line 1 "},
        {"a : s3cret", NULL, "line 1 "},
        {"a:", NULL, "line 1 "},
        {"a: \t ", NULL, "line 1 "},
        {"a: s3cret\r\n", NULL, "line 1 "},
        {"a: s3cret\x01", NULL, "line 1 "},
        {"a: s3cret\x7f", NULL, "line 1 "},
        {"\xc3\xbc: s3cret", NULL, "line 1 "},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf taken = {0};
        struct error error = {""};
        bool good = headers_read(rows[i].text, take, &taken, &error);

        expect(rows[i].text, good == (rows[i].taken != NULL));
        if (good) {
            expect_text(rows[i].text, taken.length > 0 ? taken.bytes : "", rows[i].taken);
        }
        expect_within(rows[i].text, error.text, rows[i].error);
        expect_not_within(rows[i].text, error.text, "s3cret");
        buf_release(&taken);
    }
}

static void test_length(void **state)
{
    char *line = malloc(HEADER_LINE_MAX + 2);
    struct error error;

    (void)state;
    for (size_t length = HEADER_LINE_MAX; length <= HEADER_LINE_MAX + 1; length++) {
        struct buf taken = {0};

        memset(line, 'v', length);
        memcpy(line, "a: ", 3);
        line[length] = '\0';
        expect("length", headers_read(line, take, &taken, &error) == (length == HEADER_LINE_MAX));
        buf_release(&taken);
    }
    free(line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_length),
    };

    return cmocka_run_group_tests_name("headers", tests, NULL, NULL);
}
