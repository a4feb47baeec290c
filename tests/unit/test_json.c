/* Strict JSON: the grammar of RFC 8259 and the limits on top of it. */
#include "base/json.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/json_grammar.h"
#include "unit.h"

/* Parses a copy in memory that ends with the text, so that ASan finds a read beyond. */
static struct json *parse(const char *text, size_t length)
{
    char *exact = malloc(length > 0 ? length : 1);

    assert_non_null(exact);
    memcpy(exact, text, length);
    struct json *document = json_parse(exact, length);
    free(exact);
    return document;
}

static void expect_document(const char *text, size_t length, bool wanted)
{
    struct json *document = parse(text, length);

    expect(text, (document != NULL) == wanted);
    json_free(document);
}

static bool is_value(const char *text)
{
    size_t members;

    return json_grammar(text, strlen(text), JSON_DEPTH_MAX, &members);
}

/* Tests each row alone, in an array and in an object. */
static void expect_values(const char *const *rows, size_t count, bool wanted)
{
    for (size_t i = 0; i < count; i++) {
        char text[256];

        expect(rows[i], is_value(rows[i]) == wanted);
        snprintf(text, sizeof text, "[0,%s]", rows[i]);
        expect(text, is_value(text) == wanted);
        int length = snprintf(text, sizeof text, "{\"a\":%s}", rows[i]);
        expect_document(text, (size_t)length, wanted);
    }
}

static void test_values_accepted(void **state)
{
    static const char *const rows[] = {
        "true",
        "false",
        "null",
        "0",
        "-0",
        "1",
        "-1",
        "10",
        "0.5",
        "-0.0",
        "1.25",
        "0e1",
        "0E+1",
        "1e5",
        "1E-5",
        "1.5e+300",
        "1e400",                          /* too large for a double */
        "123456789012345678901234567890", /* too large for 64 bits */
        "-9223372036854775809",
        "0.1000000000000000055511151231257827021181583404541015625",
        "\"\"",
        "\"a\"",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
        "\"\\u0041\\u00fc\\u20AC\\uabcd\\uABCD\"",
        "\"\\ud83d\\ude00\"", /* a pair */
        "\"\\uDBFF\\uDFFF\"", /* the last pair */
        "\"\\ud7ff\\ue000\"", /* the neighbours of surrogates */
        "\"\\uffff\"",
        "\"\\u0001\"",
        "\"\x7f\"", /* DEL is no control character to JSON */
        "\"\xc3\xbc \xe2\x82\xac \xf0\x9f\x98\x80\"",
        "\"/\"",
        "\"//\"",
        "\"null\"",
        "[]",
        "{}",
        "[[],{}]",
        "[1,2,3]",
        "{\"b\":{\"b\":1}}", /* the same name, but one inside the other */
        "[{\"b\":1},{\"b\":1}]",
        "{\"\":0}",
        "{\"b\":1,\"B\":2}",
        " \t\r\n1 \t\r\n",
        "[ 1 , 2 ]",
        "{ \"b\" : 1 , \"c\" : 2 }",
    };

    (void)state;
    expect_values(rows, COUNT_OF(rows), true);
}

static void test_values_refused(void **state)
{
    static const char *const rows[] = {
        "",
        " ",
        /* Words. */
        "True",
        "NULL",
        "nul",
        "nulll",
        "truefalse",
        "undefined",
        "NaN",
        "-NaN",
        "Infinity",
        "-Infinity",
        "nan",
        "inf",
        "a",
        /* Numbers. */
        "-",
        "+1",
        "01",
        "-01",
        "00",
        "1.",
        ".5",
        "-.5",
        "1.e5",
        "1e",
        "1e+",
        "1e-",
        "1ee5",
        "1e5.5",
        "1.2.3",
        "--1",
        "1 2",
        "0x10",
        "0b1",
        "1_000",
        "1,5",
        "1f",
        "\xef\xbc\x91", /* a full-width digit */
        /* Strings. */
        "\"",
        "\"a",
        "a\"",
        "'a'",
        "`a`",
        "\"a\"b\"",
        "\"\n\"",
        "\"\t\"",
        "\"\x01\"",
        "\"\x1f\"",
        "\"\\\"",
        "\"\\a\"",
        "\"\\'\"",
        "\"\\x41\"",
        "\"\\U0041\"",
        "\"\\0\"",
        "\"\\\n\"",
        "\"\\u\"",
        "\"\\u1\"",
        "\"\\u12\"",
        "\"\\u123\"",
        "\"\\u123g\"",
        "\"\\u 123\"",
        "\"\\u+123\"",
        "\"\\u0000\"",
        "\"a\\u0000b\"",
        "\"\\ud800\"", /* a high one alone */
        "\"\\udbff\"",
        "\"\\udc00\"", /* a low one alone */
        "\"\\udfff\"",
        "\"\\ud83d\\ud83d\"", /* two high ones */
        "\"\\ude00\\ud83d\"", /* in the wrong order */
        "\"\\ud83dx\"",
        "\"\\ud83d\\n\"",
        "\"\\ud83d\\u0041\"",
        "\"\\ud83d\\\\ude00\"",
        "\"\\ud83d\\ude0\"",
        "\"\\ud83d \\ude00\"",
        /* Arrays and objects. */
        "[",
        "]",
        "[1",
        "[1,",
        "[1,]",
        "[,1]",
        "[,]",
        "[1,,2]",
        "[1 2]",
        "[1;2]",
        "[1:2]",
        "[1}",
        "[]]",
        "[\"a\"",
        "{",
        "}",
        "{]",
        "{}}",
        "{\"b\"}",
        "{\"b\":}",
        "{\"b\":1,}",
        "{,\"b\":1}",
        "{\"b\":1,,\"c\":2}",
        "{\"b\":1 \"c\":2}",
        "{\"b\",1}",
        "{\"b\"::1}",
        "{:1}",
        "{b:1}",
        "{'b':1}",
        "{1:1}",
        "{null:1}",
        "{\"b\":1",
        "{\"b\"",
        "{\"\\ud800\":1}",
        "{\"\\u0000\":1}",
        "{\"b\":1}{\"b\":1}",
        /* What other languages allow. */
        "/* */ 1",
        "1 /* */",
        "1 // one",
        "# 1",
        "1;",
        "\xef\xbb\xbf"
        "1", /* a byte order mark */
        "\xc2\xa0"
        "1", /* a no-break space */
        "\f1",
        "\v1",
        "(1)",
        "<1>",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        /* In an array some rows would be two elements, so each is tested alone here. */
        expect(rows[i], !is_value(rows[i]));
    }
}

static void test_only_an_object_is_a_document(void **state)
{
    static const char *const rows[] = {"[]",    "1",   "\"a\"", "null", "true", "[{}]",
                                       "{} {}", "{}x", "{}\"",  "{}]",  "",     " "};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        expect_document(rows[i], strlen(rows[i]), false);
    }
    expect_document(" \r\n\t{} \r\n\t", 10, true);
    expect_document("{}\0", 3, false);
    expect_document("{\"a\":\"\0\"}", 9, false);
    expect_document("{\"a\":1}\0{}", 10, false);
}

static void test_utf8(void **state)
{
    static const char *const rows[] = {
        "{\"a\":\"\xff\"}",
        "{\"a\":\"\xc0\x80\"}", /* an overlong NUL */
        "{\"a\":\"\xe0\x80\xaf\"}",
        "{\"a\":\"\xed\xa0\xbd\xed\xb8\x80\"}",
        "{\"a\":\"\xf4\x90\x80\x80\"}",
        "{\"a\xff\":1}",
        "{\"a\":\"\xc3\"}",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        expect_document(rows[i], strlen(rows[i]), false);
    }
}

/* Tests a pair between an escaped backslash and another one that is followed by half a pair. */
static void expect_pair(uint32_t point)
{
    uint32_t bits = point - 0x10000;
    char text[64], wanted[32];
    const char *string;

    snprintf(text, sizeof text, "{\"a\":\"\\\\\\u%04x\\u%04X\\\\ud836\"}", 0xd800 | bits >> 10,
             0xdc00 | (bits & 0x3ff));
    snprintf(wanted, sizeof wanted, "\\%c%c%c%c\\ud836", (char)(0xf0 | point >> 18),
             (char)(0x80 | (point >> 12 & 0x3f)), (char)(0x80 | (point >> 6 & 0x3f)),
             (char)(0x80 | (point & 0x3f)));
    struct json *document = parse(text, strlen(text));
    assert_non_null(document);
    assert_int_equal(json_member(document, "a", &string), JSON_STRING);
    expect(text, strcmp(string, wanted) == 0);
    json_free(document);
}

/* The first and the last code point of each 1024: json-c decides by those bits. */
static void test_surrogate_pairs(void **state)
{
    (void)state;
    for (uint32_t point = 0x10000; point < 0x110000; point += 0x400) {
        expect_pair(point);
        expect_pair(point + 0x3ff);
    }
}

static void test_duplicate_names(void **state)
{
    static const struct {
        const char *text;
        bool wanted;
    } rows[] = {
        {"{\"a\":1,\"a\":1}", false},
        {"{\"a\":1,\"b\":2,\"a\":3}", false},
        {"{\"a\":1,\"\\u0061\":2}", false}, /* the same, escaped */
        {"{\"\\u0061\":1,\"\\u0061\":2}", false},
        {"{\"\xf0\x9f\x98\x80\":1,\"\\ud83d\\ude00\":2}", false},
        {"{\"/\":1,\"\\/\":2}", false},
        {"{\"\":1,\"\":2}", false},
        {"{\"a\":{\"b\":1,\"b\":2}}", false},
        {"{\"a\":[{\"b\":1,\"b\":2}]}", false},
        {"{\"a\":{\"x\":1},\"a\":{\"x\":1,\"y\":2}}", false},
        {"{\"a\":{},\"a\":{\"x\":1}}", false},
        {"{\"a\":1,\"A\":2}", true},
        {"{\"\xc3\xbc\":1,\"u\xcc\x88\":2}", true}, /* these look the same, but differ */
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        expect_document(rows[i].text, strlen(rows[i].text), rows[i].wanted);
    }
}

/* {"a":{"a":…{}…}} or {"a":[[…]]} of this depth. */
static void nested(struct buf *text, unsigned depth, const char *opening, char closing)
{
    buf_clear(text);
    buf_text(text, depth > 1 ? "{\"a\":" : "{");
    for (unsigned i = 2; i < depth; i++) {
        buf_text(text, opening);
    }
    if (depth > 1) {
        buf_char(text, *opening);
        buf_char(text, closing);
    }
    for (unsigned i = 2; i < depth; i++) {
        buf_char(text, closing);
    }
    buf_char(text, '}');
}

static void test_depth(void **state)
{
    struct buf text = {0};

    (void)state;
    assert_int_equal(JSON_DEPTH_MAX, 16);
    for (unsigned depth = 1; depth <= 40; depth++) {
        nested(&text, depth, "{\"a\":", '}');
        expect_document(text.bytes, text.length, depth <= JSON_DEPTH_MAX);
        nested(&text, depth, "[", ']');
        expect_document(text.bytes, text.length, depth <= JSON_DEPTH_MAX);
    }
    nested(&text, 30000, "[", ']');
    expect_document(text.bytes, text.length, false);
    buf_clear(&text);
    buf_text(&text, "{\"a\":[");
    for (int i = 0; i < 1000; i++) {
        buf_text(&text, "[],");
    }
    buf_text(&text, "[]]}");
    expect_document(text.bytes, text.length, true); /* wide is not deep */
    buf_release(&text);
}

static void test_every_prefix_is_refused(void **state)
{
    static const char text[] = " {\"message\" : \"Gr\xc3\xbc\xc3\x9f"
                               "e \\ud83d\\ude00\\n\" , \"n\":[-1.5e+3, true,null,{ }]}";

    (void)state;
    for (size_t length = 0; length < sizeof text - 1; length++) {
        expect_document(text, length, false);
    }
    expect_document(text, sizeof text - 1, true);
}

static const char *member_of(const struct json *document, const char *name)
{
    const char *string;

    json_member(document, name, &string);
    return string;
}

static void test_members(void **state)
{
    static const struct {
        const char *name;
        enum json_kind kind;
        const char *text;
    } rows[] = {
        {"text", JSON_STRING, "a\"\\/\b\f\n\r\t\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80"},
        {"empty", JSON_STRING, ""},
        {"null", JSON_NULL, NULL},
        {"true", JSON_OTHER, NULL},
        {"number", JSON_OTHER, NULL},
        {"array", JSON_OTHER, NULL},
        {"object", JSON_OTHER, NULL},
        {"\xc3\xbc", JSON_STRING, "named with an escape"},
        {"missing", JSON_ABSENT, NULL},
        {"inner", JSON_ABSENT, NULL},
        {"TEXT", JSON_ABSENT, NULL},
        {"", JSON_ABSENT, NULL},
    };
    static const char text[] =
        "{\"text\":\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00fc\\u20ac\\ud83d\\ude00\",\"empty\":\"\","
        "\"null\":null,\"true\":true,\"number\":1,\"array\":[\"a\"],"
        "\"object\":{\"inner\":\"a\"},\"\\u00fc\":\"named with an escape\"}";
    struct json *document = parse(text, sizeof text - 1);

    (void)state;
    assert_non_null(document);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *string = "untouched";

        expect_integer(rows[i].name, json_member(document, rows[i].name, &string), rows[i].kind);
        expect_text(rows[i].name, string, rows[i].text);
    }
    expect_text("inner", member_of(json_member_object(document, "object"), "inner"), "a");
    assert_null(json_member_object(document, "array"));
    assert_null(json_member_object(document, "null"));
    assert_null(json_member_object(document, "absent"));
    json_free(document);
    json_free(NULL);
}

static void test_members_counted(void **state)
{
    static const struct {
        const char *text;
        size_t members;
    } rows[] = {
        {"1", 0},
        {"[1,2]", 0},
        {"{}", 0},
        {"{\"a\":1}", 1},
        {"{\"a\":{\"b\":1,\"c\":[{\"d\":1}]},\"a\":2}", 5},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        size_t members;

        expect(rows[i].text, json_grammar(rows[i].text, strlen(rows[i].text), 16, &members));
        expect_integer(rows[i].text, (long long)members, (long long)rows[i].members);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_accepted),
        cmocka_unit_test(test_values_refused),
        cmocka_unit_test(test_only_an_object_is_a_document),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_surrogate_pairs),
        cmocka_unit_test(test_duplicate_names),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_every_prefix_is_refused),
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_members_counted),
    };

    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
