/* SQL templates: what is a parameter and what is not. */
#include "db/template.h"

#include <stdlib.h>

#include "unit.h"

static const char *const A_B[] = {"a", "b", NULL};
static const char *const A[] = {"a", NULL};
static const char *const NONE[] = {NULL};

struct compiled {
    bool good;
    struct buf sql;
    int lines_before;
    struct error error;
};

static struct compiled compile(const char *text, enum shape shape, const char *const *parameters)
{
    struct compiled compiled = {0};

    compiled.good = template_compile(text, shape, parameters, &compiled.sql, &compiled.lines_before,
                                     &compiled.error);
    return compiled;
}

struct good {
    const char *text;
    const char *sql;
};

static void expect_sql(const struct good *rows, size_t count, const char *const *parameters)
{
    for (size_t i = 0; i < count; i++) {
        struct compiled compiled = compile(rows[i].text, SHAPE_PLAIN, parameters);

        expect_text(rows[i].text, compiled.error.text, "");
        expect(rows[i].text, compiled.good);
        expect_text(rows[i].text, compiled.sql.bytes, rows[i].sql);
        assert_int_equal(compiled.lines_before, 0);
        buf_release(&compiled.sql);
    }
}

struct bad {
    const char *text;
    int line;
    const char *message;
};

static void expect_errors(const struct bad *rows, size_t count, const char *const *parameters)
{
    for (size_t i = 0; i < count; i++) {
        struct compiled compiled = compile(rows[i].text, SHAPE_PLAIN, parameters);

        expect(rows[i].text, !compiled.good);
        expect_within(rows[i].text, compiled.error.text, rows[i].message);
        expect_integer(rows[i].text, strtol(compiled.error.text, NULL, 10), rows[i].line);
        buf_release(&compiled.sql);
    }
}

static void test_parameters(void **state)
{
    static const struct good rows[] = {
        {"select %(a)s, %(b)s", "select $1, $2"},
        {"select %(b)s, %(a)s, %(b)s", "select $2, $1, $2"},
        {"select %(a)s::uuid, cast(%(b)s as text)", "select $1::uuid, cast($2 as text)"},
        {"select array[%(a)s][%(b)s]", "select array[$1][$2]"},
        {"select (%(a)s)+%(b)s-1", "select ($1)+$2-1"},
        {"select x/%(a)s*%(b)s", "select x/$1*$2"},
        {"select %(a)s\n, -- %(b)s\n%(b)s", "select $1\n, -- %(b)s\n$2"},
    };

    (void)state;
    expect_sql(rows, COUNT_OF(rows), A_B);
}

static void test_where_nothing_is_a_parameter(void **state)
{
    static const struct good rows[] = {
        /* String literals. */
        {"select %(a)s, '%(a)s'", "select $1, '%(a)s'"},
        {"select %(a)s, '%% % %(x)s'", "select $1, '%% % %(x)s'"},
        {"select 'it''s %(x)s', %(a)s", "select 'it''s %(x)s', $1"},
        {"select '''', %(a)s", "select '''', $1"},
        {"select '', %(a)s, ''", "select '', $1, ''"},
        {"select '\\', %(a)s", "select '\\', $1"}, /* no escape in a standard string */
        {"select 'a;b', %(a)s", "select 'a;b', $1"},
        {"select '--', %(a)s", "select '--', $1"},
        {"select '/*', %(a)s", "select '/*', $1"},
        {"select 'a\nb', %(a)s", "select 'a\nb', $1"},
        {"select '\"', %(a)s, '\"'", "select '\"', $1, '\"'"},
        {"select '$$', %(a)s, '$$'", "select '$$', $1, '$$'"},
        /* String literals with escapes. */
        {"select E'\\'%(x)s', %(a)s", "select E'\\'%(x)s', $1"},
        {"select e'\\'%(x)s', %(a)s", "select e'\\'%(x)s', $1"},
        {"select E'\\\\', %(a)s", "select E'\\\\', $1"},
        {"select E'''%(x)s', %(a)s", "select E'''%(x)s', $1"},
        {"select E'\\\\\\'%(x)s', %(a)s", "select E'\\\\\\'%(x)s', $1"},
        {"select nameE'\\', %(a)s", "select nameE'\\', $1"}, /* the E belongs to a name */
        {"select _e'\\', %(a)s", "select _e'\\', $1"},
        {"select b'01', x'1f', n'\\', %(a)s", "select b'01', x'1f', n'\\', $1"},
        {"select U&'\\0041', %(a)s", "select U&'\\0041', $1"},
        {"select e, '\\', %(a)s", "select e, '\\', $1"},
        {"select e '\\', %(a)s", "select e '\\', $1"}, /* an E that stands apart is a name too */
        /* Quoted identifiers. */
        {"select \"%(x)s\", %(a)s", "select \"%(x)s\", $1"},
        {"select \"a\"\"%(x)s\", %(a)s", "select \"a\"\"%(x)s\", $1"},
        {"select \"it's\", %(a)s", "select \"it's\", $1"},
        {"select \"\\\", %(a)s", "select \"\\\", $1"},
        {"select E\"\\\", %(a)s", "select E\"\\\", $1"},
        {"select U&\"%(x)s\", %(a)s", "select U&\"%(x)s\", $1"},
        /* Dollar quotes. */
        {"select $$%(x)s;'\"--/*$$, %(a)s", "select $$%(x)s;'\"--/*$$, $1"},
        {"select $$$$, %(a)s", "select $$$$, $1"},
        {"select $t$%(x)s$$$T$ $t$, %(a)s", "select $t$%(x)s$$$T$ $t$, $1"},
        {"select $_a1$%(x)s$_a$ $_a1$, %(a)s", "select $_a1$%(x)s$_a$ $_a1$, $1"},
        {"select $a$ $$a$, %(a)s", "select $a$ $$a$, $1"}, /* the tag begins at the second $ */
        {"select $\xc3\xbc$%(x)s$\xc3\xbc$, %(a)s", "select $\xc3\xbc$%(x)s$\xc3\xbc$, $1"},
        {"select a$$, %(a)s", "select a$$, $1"}, /* a name may have a $ in it */
        {"select a$b$c, %(a)s", "select a$b$c, $1"},
        /* Comments. */
        {"select 1 -- %(x)s ' \" $$ /* ;\n, %(a)s", "select 1 -- %(x)s ' \" $$ /* ;\n, $1"},
        {"select 1 --\n, %(a)s", "select 1 --\n, $1"},
        {"select %(a)s -- the end", "select $1 -- the end"},
        {"select /* %(x)s ' -- */ %(a)s", "select /* %(x)s ' -- */ $1"},
        {"select /* /* %(x)s */ %(x)s */ %(a)s", "select /* /* %(x)s */ %(x)s */ $1"},
        {"select /*/ %(x)s */ %(a)s", "select /*/ %(x)s */ $1"},
        {"select /***/ %(a)s", "select /***/ $1"},
        {"select /*/**/*/ %(a)s", "select /*/**/*/ $1"},
        {"select 1 /**/-%(a)s", "select 1 /**/-$1"},
        {"/* first */\n-- then\nselect %(a)s", "/* first */\n-- then\nselect $1"},
    };

    (void)state;
    expect_sql(rows, COUNT_OF(rows), A);
}

static void test_continued_escape_string(void **state)
{
    /* PostgreSQL continues a string literal behind white space with a newline in it, in the same
     * mode: see its manual, 4.1.2.1. */
    static const struct good rows[] = {
        {"select 'x'\n  '\\', %(a)s", "select 'x'\n  '\\', $1"},
        {"select E'x'\n  'y\\'%(x)s', %(a)s", "select E'x'\n  'y\\'%(x)s', $1"},
        {"select E'x'\n'y'\n'\\'%(x)s', %(a)s", "select E'x'\n'y'\n'\\'%(x)s', $1"},
        {"select E'x'\n, '\\', %(a)s", "select E'x'\n, '\\', $1"},
        {"select E'x' '\\', %(a)s", "select E'x' '\\', $1"}, /* no newline, another literal */
    };

    (void)state;
    expect_sql(rows, COUNT_OF(rows), A);
}

static void test_other_tokens(void **state)
{
    static const struct good rows[] = {
        {"select 5 %% 3", "select 5 % 3"},
        {"select %%%%", "select %%"},
        {"select a::text::varchar(3)", "select a::text::varchar(3)"},
        {"select a - b / c * d", "select a - b / c * d"},
        {"select 1.5e3, .5, 1e-2", "select 1.5e3, .5, 1e-2"},
        {"select gr\xc3\xbc\xc3\x9f"
         "e",
         "select gr\xc3\xbc\xc3\x9f"
         "e"},
        {"\tselect\r\n1\f", "\tselect\r\n1\f"},
        {"select a ->> 'b', c #> '{d}', e @> f, g || h",
         "select a ->> 'b', c #> '{d}', e @> f, g || h"},
        {"select $ 1", "select $ 1"},
    };

    (void)state;
    expect_sql(rows, COUNT_OF(rows), NONE);
}

static void test_semicolons(void **state)
{
    static const struct good rows[] = {
        {"select 1;", "select 1"},
        {"select 1;\n", "select 1\n"},
        {"select 1 ; ; -- two\n", "select 1   -- two\n"},
        {"select 1; /* ; */ -- ;", "select 1 /* ; */ -- ;"},
        {"select ';' ;", "select ';' "},
    };

    (void)state;
    expect_sql(rows, COUNT_OF(rows), NONE);
}

static void test_second_statement(void **state)
{
    static const struct bad rows[] = {
        {"select 1; select 2", 1, "second"}, {"select 1;\n\nselect 2", 3, "second"},
        {"select 1;\n'", 2, "second"},       {"select 1;\n-- no\n/* no */ %%", 3, "second"},
        {"select 1;x", 1, "second"},         {"select 1;\n$$x$$", 2, "second"},
    };

    (void)state;
    expect_errors(rows, COUNT_OF(rows), NONE);
}

static void test_nothing_in_it(void **state)
{
    static const struct bad rows[] = {
        {"", 1, "no statement"},
        {" \n\t\n", 1, "no statement"},
        {"-- only words", 1, "no statement"},
        {"/* select 1 */", 1, "no statement"},
        {";", 1, "no statement"},
    };

    (void)state;
    expect_errors(rows, COUNT_OF(rows), NONE);
}

static void test_wrong_parameters(void **state)
{
    static const struct bad rows[] = {
        {"select %(a)s,\n%(c)s", 2, "%(c)s"},
        {"select %(A)s", 1, "%(A)s"},
        {"select\n\n%(aa)s", 3, "%(aa)s"},
        {"select %()s", 1, "percent sign"},
        {"select %(a)d", 1, "percent sign"},
        {"select %(a)", 1, "percent sign"},
        {"select %(a", 1, "percent sign"},
        {"select %(", 1, "percent sign"},
        {"select %( a)s", 1, "percent sign"},
        {"select %(a )s", 1, "percent sign"},
        {"select %(a'b)s", 1, "percent sign"},
        {"select\n%s", 2, "percent sign"},
        {"select 5 % 3", 1, "percent sign"},
        {"select %", 1, "percent sign"},
        {"select\n%%%", 2, "percent sign"},
        {"select %a", 1, "percent sign"},
        {"select\n$1", 2, "%(name)s, not $1"},
        {"select 1\n", 2, "%(a)s is never used"},
        {"select '%(a)s'", 1, "%(a)s is never used"},
        {"select 1 -- %(a)s", 1, "%(a)s is never used"},
    };

    (void)state;
    expect_errors(rows, COUNT_OF(rows), A);
}

static void test_never_closed(void **state)
{
    static const struct bad rows[] = {
        {"select\n'a\nb", 2, "string literal"},
        {"select '", 1, "string literal"},
        {"select 'a''", 1, "string literal"},
        {"select E'\\'", 1, "string literal"},
        {"select E'\\", 1, "string literal"},
        {"select\n\n\"a", 3, "quoted identifier"},
        {"select \"a\"\"", 1, "quoted identifier"},
        {"select\n$$a\n", 2, "dollar quote"},
        {"select $a$ $b$ $$", 1, "dollar quote"},
        {"select\n/* a\n", 2, "comment"},
        {"select /* /* */", 1, "comment"},
        {"select /*/", 1, "comment"},
        {"select 1;\n/*", 2, "comment"},
    };

    (void)state;
    expect_errors(rows, COUNT_OF(rows), NONE);
}

static void test_a_parameter_is_a_token_of_its_own(void **state)
{
    /* "$1" and "2" side by side would be the parameter $12, and "x$1" is a name. */
    static const struct bad rows[] = {
        {"select %(a)s2", 1, ""}, {"select %(a)sx", 1, ""},     {"select\nx%(a)s", 2, ""},
        {"select 1%(a)s", 1, ""}, {"select %(a)s%(a)s", 1, ""},
    };

    (void)state;
    expect_errors(rows, COUNT_OF(rows), A);
}

static void test_a_long_name_fits_the_message(void **state)
{
    char text[400];

    (void)state;
    memset(text, 'n', sizeof text);
    memcpy(text, "%(", 2);
    memcpy(text + sizeof text - 3, ")s", 3);
    struct compiled compiled = compile(text, SHAPE_PLAIN, NONE);
    assert_false(compiled.good);
    expect_within("cut", compiled.error.text, "nnn)s here");
    buf_release(&compiled.sql);
}

static void test_all_the_parameters_there_can_be(void **state)
{
    static const char *const names[TEMPLATE_PARAMETERS_MAX + 1] = {
        "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "p9", "p10", "p11", "p12", NULL};
    static const struct good rows[] = {
        {"%(p12)s %(p11)s %(p10)s %(p9)s %(p8)s %(p7)s %(p6)s %(p5)s %(p4)s %(p3)s %(p2)s %(p1)s",
         "$12 $11 $10 $9 $8 $7 $6 $5 $4 $3 $2 $1"},
    };

    (void)state;
    assert_non_null(names[TEMPLATE_PARAMETERS_MAX - 1]);
    expect_sql(rows, COUNT_OF(rows), names);
}

/* The template is whole in the SQL, in lines of its own. */
static void expect_wrapped(enum shape shape, const char *text, const char *const *parameters,
                           const char *start, const char *middle, const char *end)
{
    struct compiled compiled = compile(text, shape, parameters);

    assert_true(compiled.good);
    assert_int_equal(compiled.lines_before, 1);
    expect(start, strncmp(compiled.sql.bytes, start, strlen(start)) == 0);
    const char *inner = strchr(compiled.sql.bytes, '\n');
    assert_non_null(inner);
    expect(middle, strncmp(inner + 1, middle, strlen(middle)) == 0);
    expect_text("end", inner + 1 + strlen(middle), end);
    buf_release(&compiled.sql);
}

static void test_wrapping(void **state)
{
    (void)state;
    expect_wrapped(SHAPE_OBJECT, "select %(a)s as x; -- end", A,
                   "select 'ok' as outcome, row_to_json(object_row) as body,"
                   " null as next_key from (\n",
                   "select $1 as x -- end", "\n) as object_row");
    expect_wrapped(SHAPE_ARRAY, "select %(a)s as x -- end", A,
                   "select 'ok' as outcome, coalesce(json_agg(array_row), '[]') as body,"
                   " null as next_key from (\n",
                   "select $1 as x -- end", "\n) as array_row");
}

static void test_unwrapped(void **state)
{
    static const enum shape shapes[] = {SHAPE_OUTCOME, SHAPE_PLAIN};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(shapes); i++) {
        struct compiled compiled = compile("with x as (select %(a)s)\nselect 1;", shapes[i], A);

        expect_text("as it is", compiled.sql.bytes, "with x as (select $1)\nselect 1");
        assert_int_equal(compiled.lines_before, 0);
        buf_release(&compiled.sql);
    }
}

static void test_error_line_in_a_wrapped_template(void **state)
{
    struct compiled compiled = compile("select 1,\n%x", SHAPE_ARRAY, NONE);

    (void)state;
    assert_false(compiled.good);
    assert_int_equal(strtol(compiled.error.text, NULL, 10), 2);
    buf_release(&compiled.sql);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parameters),
        cmocka_unit_test(test_where_nothing_is_a_parameter),
        cmocka_unit_test(test_continued_escape_string),
        cmocka_unit_test(test_other_tokens),
        cmocka_unit_test(test_semicolons),
        cmocka_unit_test(test_second_statement),
        cmocka_unit_test(test_nothing_in_it),
        cmocka_unit_test(test_wrong_parameters),
        cmocka_unit_test(test_never_closed),
        cmocka_unit_test(test_a_parameter_is_a_token_of_its_own),
        cmocka_unit_test(test_a_long_name_fits_the_message),
        cmocka_unit_test(test_all_the_parameters_there_can_be),
        cmocka_unit_test(test_wrapping),
        cmocka_unit_test(test_unwrapped),
        cmocka_unit_test(test_error_line_in_a_wrapped_template),
    };

    return cmocka_run_group_tests_name("template", tests, NULL, NULL);
}
