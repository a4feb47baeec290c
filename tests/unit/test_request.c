/* The CGI parameters of a request. */
#include "http/request.h"

#include <stdio.h>
#include <stdlib.h>

#include "incoming.h"
#include "unit.h"

/* A GET with this additional parameter. */
static enum status open_with(struct incoming *incoming, const char *parameter)
{
    const char *const more[] = {parameter, NULL};

    return incoming_open(incoming, "GET", "/", more);
}

static void test_methods(void **state)
{
    static const struct {
        const char *name;
        enum method method;
    } rows[] = {
        {"GET", METHOD_GET},        {"HEAD", METHOD_HEAD},     {"POST", METHOD_POST},
        {"PUT", METHOD_PUT},        {"DELETE", METHOD_DELETE}, {"OPTIONS", METHOD_OPTIONS},
        {"PATCH", METHOD_COUNT},    {"get", METHOD_COUNT},     {"", METHOD_COUNT},
        {"GET POST", METHOD_COUNT}, {NULL, METHOD_COUNT},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct incoming incoming;

        assert_int_equal(incoming_open(&incoming, rows[i].name, "/", NULL), STATUS_OK);
        expect_integer(rows[i].name, incoming.request.method, rows[i].method);
        if (rows[i].method != METHOD_COUNT) {
            expect_text("name", method_name(rows[i].method), rows[i].name);
        }
        incoming_close(&incoming);
    }
    expect_text("unknown", method_name(METHOD_COUNT), "-");
}

static void expect_uri_of_length(size_t length, enum status status)
{
    struct incoming incoming;
    char *uri = malloc(length + 1);

    assert_non_null(uri);
    memset(uri, 'a', length);
    uri[0] = '/';
    uri[length] = '\0';
    expect_integer("path", incoming_open(&incoming, "GET", uri, NULL), status);
    incoming_close(&incoming);
    uri[1] = '?';
    expect_integer("query", incoming_open(&incoming, "GET", uri, NULL), status);
    incoming_close(&incoming);
    free(uri);
}

static void test_uri_length(void **state)
{
    (void)state;
    assert_int_equal(URI_MAX, 4096);
    expect_uri_of_length(URI_MAX - 1, STATUS_OK);
    expect_uri_of_length(URI_MAX, STATUS_OK);
    expect_uri_of_length(URI_MAX + 1, STATUS_URI_TOO_LONG);
    expect_uri_of_length(8 * URI_MAX, STATUS_URI_TOO_LONG);
}

static void test_paths(void **state)
{
    static const struct {
        const char *uri;
        size_t count;
        const char *segments[3];
        const char *query;
    } rows[] = {
        {"/", 1, {""}, ""},
        {"/?", 1, {""}, ""},
        {"/a", 1, {"a"}, ""},
        {"/a/", 2, {"a", ""}, ""},
        {"//", 2, {"", ""}, ""},
        {"//a", 2, {"", "a"}, ""},
        {"/a/b/c", 3, {"a", "b", "c"}, ""},
        {"/a?b/c?d", 1, {"a"}, "b/c?d"},
        {"/a%2Fb/c", 2, {"a/b", "c"}, ""},
        {"/a%2fb", 1, {"a/b"}, ""},
        {"/%41%4a%6A", 1, {"AJj"}, ""},
        {"/a%3Fb", 1, {"a?b"}, ""},
        {"/%2541", 1, {"%41"}, ""}, /* decoded once */
        {"/a+b", 1, {"a+b"}, ""},   /* a plus is a plus in a path */
        {"/%C3%BC/\xc3\xbc", 2, {"\xc3\xbc", "\xc3\xbc"}, ""},
        {"/../.", 2, {"..", "."}, ""},
        {"/a?%zz%00", 1, {"a"}, "%zz%00"}, /* the query is checked when it is read */
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct incoming incoming;
        const struct request *request = incoming_get(&incoming, rows[i].uri);

        expect_integer(rows[i].uri, (long long)request->path.count, (long long)rows[i].count);
        for (size_t k = 0; k < rows[i].count; k++) {
            expect_text(rows[i].uri, request->path.segment[k], rows[i].segments[k]);
        }
        expect_text(rows[i].uri, request->query, rows[i].query);
        incoming_close(&incoming);
    }
}

static void test_malformed_uris(void **state)
{
    static const char *const rows[] = {
        NULL,
        "",
        "a",
        "*",
        "?a",
        "http://a/b",
        "/%",
        "/%4",
        "/%zz",
        "/%4g",
        "/%g4",
        "/a%",
        "/%%41",
        "/%u0041",
        "/%00",
        "/a%00b",
        "/%0a",
        "/%0d%0a",
        "/%1f",
        "/%7f",
        "/\x7f",
        "/\x01",
        "/a\nb",
        "/%ff",
        "/\xff",
        "/%c0%af",
        "/%ed%a0%bd",
        "/%c3",
        "/%c3/%bc",
        "/%f4%90%80%80",
        "/a/b/c/d/e/f/g/h/i/j/%00", /* also behind the last segment that counts */
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct incoming incoming;

        expect_integer(rows[i] != NULL ? rows[i] : "none",
                       incoming_open(&incoming, "GET", rows[i], NULL), STATUS_MALFORMED_REQUEST);
        /* The request can be answered nevertheless. */
        assert_true(request_id_is_valid(incoming.request.id));
        assert_non_null(incoming.request.query);
        incoming_close(&incoming);
    }
}

static void test_percent_decode(void **state)
{
    static const struct {
        const char *text;
        bool plus_is_space;
        const char *decoded;
    } rows[] = {
        {"", false, ""},
        {"a+b%2B", false, "a+b+"},
        {"a+b%2B", true, "a b+"},
        {"%e2%82%ac", true, "\xe2\x82\xac"},
        {"%20~", true, " ~"},
        {"%1F", true, NULL},
        {"%00", true, NULL},
        {"%7F", true, NULL},
        {"%c2%80", true, "\xc2\x80"},
        {"%2", true, NULL},
        {"%", true, NULL},
        {"a%", true, NULL},
        {"% 1", true, NULL},
        {"%-1", true, NULL},
    };
    struct arena arena = {0};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        expect_text(
            rows[i].text,
            percent_decode(&arena, rows[i].text, strlen(rows[i].text), rows[i].plus_is_space),
            rows[i].decoded);
    }
    /* Reads nothing beyond the length, even within an escape. */
    assert_null(percent_decode(&arena, "a%41", 2, false));
    assert_null(percent_decode(&arena, "a%41", 3, false));
    expect_text("all of it", percent_decode(&arena, "a%41b", 4, false), "aA");
    arena_release(&arena);
}

static void test_request_id(void **state)
{
    static const struct {
        const char *parameter;
        const char *id; /* NULL: one is made */
    } rows[] = {
        {"HTTP_X_REQUEST_ID=a-B.c_9", "a-B.c_9"},
        {"HTTP_X_REQUEST_ID=", NULL},
        {"HTTP_X_REQUEST_ID=a b", NULL},
        {"HTTP_X_REQUEST_ID=a\r\nSet-Cookie: b", NULL},
        {"HTTP_X_REQUEST_ID=0123456789012345678901234567890123456789012345678901234567890123",
         "0123456789012345678901234567890123456789012345678901234567890123"},
        {"HTTP_X_REQUEST_ID=01234567890123456789012345678901234567890123456789012345678901234",
         NULL},
        {"HTTP_X_REQUEST_IDS=a", NULL},
        {"X_HTTP_X_REQUEST_ID=a", NULL},
        {NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct incoming incoming;

        assert_int_equal(open_with(&incoming, rows[i].parameter), STATUS_OK);
        if (rows[i].id != NULL) {
            expect_text("taken over", incoming.request.id, rows[i].id);
        } else {
            expect("made", uuid_is_valid(incoming.request.id));
        }
        incoming_close(&incoming);
    }
}

static void test_traceparent(void **state)
{
    static const char good[] =
        "HTTP_TRACEPARENT=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    struct incoming incoming;

    (void)state;
    open_with(&incoming, good);
    expect_text("good", incoming.request.traceparent, strchr(good, '=') + 1);
    incoming_close(&incoming);
    open_with(&incoming, "HTTP_TRACEPARENT=00-abc");
    expect_text("none", incoming.request.traceparent, "");
    incoming_close(&incoming);
    open_with(&incoming, NULL);
    expect_text("none", incoming.request.traceparent, "");
    incoming_close(&incoming);
}

static void test_other_parameters(void **state)
{
    static const char *const more[] = {"HTTP_ACCEPT=text/html",
                                       "CONTENT_TYPE=application/json",
                                       "HTTP_AUTHORIZATION=Bearer",
                                       "REMOTE_ADDR=127.0.0.1",
                                       "ODD",
                                       "=empty",
                                       "HTTP_ACCEPT=the second",
                                       NULL};
    struct incoming incoming;

    (void)state;
    assert_int_equal(incoming_open(&incoming, "GET", "/", more), STATUS_OK);
    expect_text("accept", incoming.request.accept, "text/html");
    expect_text("content type", incoming.request.content_type, "application/json");
    expect_text("authorization", incoming.request.authorization, "Bearer");
    expect_text("address", incoming.request.remote_addr, "127.0.0.1");
    expect_text("body", incoming.request.body, "");
    incoming_close(&incoming);
    assert_int_equal(incoming_open(&incoming, NULL, NULL, NULL), STATUS_MALFORMED_REQUEST);
    assert_null(incoming.request.accept);
    assert_null(incoming.request.content_type);
    assert_null(incoming.request.authorization);
    assert_null(incoming.request.remote_addr);
    incoming_close(&incoming);
}

static void test_content_length(void **state)
{
    static const struct {
        const char *parameter;
        long long length;
    } rows[] = {
        {NULL, 0},
        {"CONTENT_LENGTH=", 0},
        {"CONTENT_LENGTH=0", 0},
        {"CONTENT_LENGTH=16384", 16384},
        {"CONTENT_LENGTH=007", 7},
        {"CONTENT_LENGTH=999999999999999999", 999999999999999999},
        {"CONTENT_LENGTH=9999999999999999999", -1}, /* 19 digits could overflow */
        {"CONTENT_LENGTH=99999999999999999999999", -1},
        {"CONTENT_LENGTH=-1", -1},
        {"CONTENT_LENGTH=+1", -1},
        {"CONTENT_LENGTH= 1", -1},
        {"CONTENT_LENGTH=1 ", -1},
        {"CONTENT_LENGTH=1, 1", -1},
        {"CONTENT_LENGTH=0x10", -1},
        {"CONTENT_LENGTH=1e3", -1},
        {"CONTENT_LENGTH=a", -1},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *label = rows[i].parameter != NULL ? rows[i].parameter : "none";
        struct incoming incoming;

        expect_integer(label, open_with(&incoming, rows[i].parameter),
                       rows[i].length < 0 ? STATUS_MALFORMED_REQUEST : STATUS_OK);
        expect_integer(label, incoming.request.content_length, rows[i].length);
        incoming_close(&incoming);
    }
}

static void test_accept(void **state)
{
    static const struct {
        const char *accept;
        bool wanted;
    } rows[] = {
        {NULL, false},
        {"", false},
        {"application/json", false},
        {"*/*", false}, /* by name only */
        {"application/*", false},
        {"application/problem+json", true},
        {"APPLICATION/Problem+JSON", true},
        {"application/json, application/problem+json", true},
        {"application/json,application/problem+json;q=0.5,*/*;q=0.1", true},
        {" \tapplication/problem+json\t ", true},
        {"application/problem+json ; q=0.001", true},
        {"application/problem+json;q=1", true},
        {"application/problem+json;q=1.000", true},
        {"application/problem+json;charset=utf-8", true},
        {"application/problem+json;q=0", false},
        {"application/problem+json;q=0.0", false},
        {"application/problem+json; q=0.000", false},
        {"application/problem+json;Q=0", false},
        {"application/problem+json;charset=utf-8;q=0", false},
        {"application/problem+json;q=0, application/json", false},
        {"application/json;q=0, application/problem+json", true},
        {"application/problem+json;version=\"q\";q=0.5", true},
        {"application/problem+jsonx", false},
        {"application/problem+jso", false},
        {"xapplication/problem+json", false},
        {"x, ,,application/problem+json", true},
        {"application/problem+json;seq=0", true}, /* a parameter of another name */
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct incoming incoming = {0};

        incoming.request.accept = rows[i].accept;
        expect(rows[i].accept != NULL ? rows[i].accept : "none",
               (request_weight(&incoming.request, "application/problem+json") > 0) ==
                   rows[i].wanted);
    }
}

static void test_weights(void **state)
{
    static const struct {
        const char *accept;
        int wanted;
    } rows[] = {
        {"a/b", 1000},
        {"a/b;q=1", 1000},
        {"a/b;q=0.5", 500},
        {"a/b;q=0.25", 250},
        {"a/b;q=0.001", 1},
        {"a/b;q=0.", 0},
        {"a/b;q=0", 0},
        {"a/b ; x=y ; Q=0.7", 700},
        {"a/b;x=\"q=0, a/b;q=0\";q=0.9", 900},
        {"c/d;x=\"a/b\", a/b;q=0.3", 300},
        {"c/d;q=0.1,a/b;q=0.3", 300},
        {"a/b;q=0.3, a/b;q=0.6", 600},
        {"a/b;q=2", 1000}, /* not a valid weight */
        {"a/b;q=0,5", 0},
        {"a/b;q=x", 1000},
        {"a/b;x=\"open, a/b", 1000},
        {"c/d;x=\"open, a/b", 1000},
        {"a/*", 0},
        {"a/bc", 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct incoming incoming = {0};

        incoming.request.accept = rows[i].accept;
        expect_integer(rows[i].accept, request_weight(&incoming.request, "a/b"), rows[i].wanted);
    }
}

static void test_pasted_text(void **state)
{
    static const struct {
        const char *text, *decoded;
    } rows[] = {
        {"a%09b%0Ac%0d%0Ad%0be%0Cf", "a b c  d e f"},
        {"a+b%20c", "a b c"},
        {"%0a", " "},
        {"a%00", NULL},
        {"a%08", NULL},
        {"a%0E", NULL},
        {"a%1f", NULL},
        {"a%7F", NULL},
        {"a%0", NULL},
        {"%ff", NULL},
    };
    struct arena arena = {0};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        expect_text(rows[i].text, percent_decode_text(&arena, rows[i].text, strlen(rows[i].text)),
                    rows[i].decoded);
    }
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_weights),        cmocka_unit_test(test_pasted_text),
        cmocka_unit_test(test_methods),        cmocka_unit_test(test_uri_length),
        cmocka_unit_test(test_paths),          cmocka_unit_test(test_malformed_uris),
        cmocka_unit_test(test_percent_decode), cmocka_unit_test(test_request_id),
        cmocka_unit_test(test_traceparent),    cmocka_unit_test(test_other_parameters),
        cmocka_unit_test(test_content_length), cmocka_unit_test(test_accept),
    };

    return cmocka_run_group_tests_name("request", tests, NULL, NULL);
}
