/* The body gate: the order of its checks, and each reason to refuse a body. */
#include "http/body.h"

#include <stdlib.h>

#include "api/status.h"
#include "base/json.h"
#include "incoming.h"
#include "unit.h"

enum { BODY_MAX = 64 };

static enum status gate(const struct request *request)
{
    struct json *body = NULL;
    enum status status = body_open(request, BODY_MAX, &body);

    assert_int_equal(body != NULL, status == STATUS_OK);
    json_free(body);
    return status;
}

static void test_order(void **state)
{
    /* Each row corrects the first fault of the row before. */
    static const struct {
        const char *body;
        long long announced;
        const char *content_type;
        enum status status;
    } rows[] = {
        {"\xff", 100000, "text/plain", STATUS_BODY_TOO_LARGE},
        {"\xff", 2, "text/plain", STATUS_BODY_TRUNCATED},
        {"\xff", 1, "text/plain", STATUS_CONTENT_TYPE_UNSUPPORTED},
        {"\xff", 1, "application/json", STATUS_BODY_NOT_UTF8},
        {"x", 1, "application/json", STATUS_BODY_NOT_JSON},
        {"{}", 2, "application/json", STATUS_OK},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct request request = {.body = rows[i].body,
                                        .body_length = strlen(rows[i].body),
                                        .content_length = rows[i].announced,
                                        .content_type = rows[i].content_type};

        expect_integer(status_code(rows[i].status), gate(&request), rows[i].status);
    }
}

/* Checks an object of `length` bytes, with `announced` as its content length. */
static enum status gate_of_length(size_t length, size_t announced)
{
    struct incoming incoming;
    char body[256];

    memset(body, ' ', length);
    body[length] = '\0';
    body[0] = '{';
    body[length - 1] = '}';
    struct request *request = incoming_post(&incoming, "/", body);
    request->content_length = (long long)announced;
    enum status status = gate(request);
    incoming_close(&incoming);
    return status;
}

static void test_size(void **state)
{
    (void)state;
    assert_int_equal(gate_of_length(BODY_MAX - 1, BODY_MAX - 1), STATUS_OK);
    assert_int_equal(gate_of_length(BODY_MAX, BODY_MAX), STATUS_OK);
    assert_int_equal(gate_of_length(BODY_MAX + 1, BODY_MAX + 1), STATUS_BODY_TOO_LARGE);
    assert_int_equal(gate_of_length(2, BODY_MAX + 1), STATUS_BODY_TOO_LARGE);
    assert_int_equal(gate_of_length(BODY_MAX + 1, 2), STATUS_BODY_TOO_LARGE);
    assert_int_equal(gate_of_length(2, 3), STATUS_BODY_TRUNCATED);
    assert_int_equal(gate_of_length(3, 2), STATUS_BODY_TRUNCATED);
    assert_int_equal(gate_of_length(2, 0), STATUS_BODY_TRUNCATED);
}

static void test_content_type(void **state)
{
    static const struct {
        const char *content_type;
        bool good;
    } rows[] = {
        {"application/json", true},
        {"Application/JSON", true},
        {"application/json;charset=utf-8", true},
        {"application/json; charset=utf-8", true},
        {"application/json ; charset=UTF-8", true},
        {"application/json; charset=\"utf-8\"", true},
        {"application/json; Charset=Utf-8 ", true},
        {"application/json;", true},
        {"application/json; profile=x; charset=utf-8", true},
        {"application/json; charset=utf8", true},
        {"application/json; charset=latin1", true},
        {"application/json;charset=utf-16", true},
        {"application/json; charset=utf-8; charset=latin1", true},
        {"application/json; charset=\"\"", true},
        {"application/json; profile=\"a;charset=latin1\"", true},
        {"application/json; profile=\"a\\\"; b, c\"; charset=utf-8", true},
        {"application/json;;; x=1 ; ;", true},
        {"application/json; charset=\"utf-8", false},
        {"application/json; profile=\"a\\\"", false},
        {"application/json; charset=", false},
        {"application/json; charset", false},
        {"application/json; =utf-8", false},
        {"application/json; a=b c", false},
        {"application/json; a=\"b\"c", false},
        {"application/json; a=b, text/plain", false},
        {"application/json x", false},
        {"application/jsonx", false},
        {"application/json+x", false},
        {"application/json, text/plain", false},
        {"application/problem+json", false},
        {"application/jso", false},
        {"text/json", false},
        {"text/plain", false},
        {"application/x-www-form-urlencoded", false},
        {"multipart/form-data; boundary=application/json", false},
        {" application/json", false},
        {"", false},
        {NULL, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct request request = {.body = "{}",
                                        .body_length = 2,
                                        .content_length = 2,
                                        .content_type = rows[i].content_type};

        expect_integer(rows[i].content_type != NULL ? rows[i].content_type : "none", gate(&request),
                       rows[i].good ? STATUS_OK : STATUS_CONTENT_TYPE_UNSUPPORTED);
    }
}

static void test_content(void **state)
{
    static const struct {
        const char *body;
        enum status status;
    } rows[] = {
        {"{}", STATUS_OK},
        {" {\"a\":1} ", STATUS_OK},
        {"", STATUS_BODY_NOT_JSON},
        {"null", STATUS_BODY_NOT_JSON},
        {"[]", STATUS_BODY_NOT_JSON},
        {"{\"a\":1,\"a\":1}", STATUS_BODY_NOT_JSON},
        {"{\"a\":NaN}", STATUS_BODY_NOT_JSON},
        {"{\"a\":\"\\u0000\"}", STATUS_BODY_NOT_JSON},
        {"{\"a\":\"\\ud83d\"}", STATUS_BODY_NOT_JSON},
        {"{} {}", STATUS_BODY_NOT_JSON},
        {"{\"a\":\"\xc0\x80\"}", STATUS_BODY_NOT_UTF8},
        {"{\"a\":\"\xed\xa0\xbd\"}", STATUS_BODY_NOT_UTF8},
        {"{} \xff", STATUS_BODY_NOT_UTF8},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct incoming incoming;

        expect_integer(rows[i].body, gate(incoming_post(&incoming, "/", rows[i].body)),
                       rows[i].status);
        incoming_close(&incoming);
    }
}

static void test_nul_byte(void **state)
{
    const struct request request = {.body = "{\"a\":\"\0\"}",
                                    .body_length = 9,
                                    .content_length = 9,
                                    .content_type = "application/json"};

    (void)state;
    assert_int_equal(gate(&request), STATUS_BODY_NOT_JSON);
}

static void test_strings_outlive_the_body(void **state)
{
    struct incoming incoming;
    struct json *body;
    struct request *request = incoming_post(
        &incoming, "/", "{\"a\":\"Gr\\u00fc\\u00dfe\",\"n\":null,\"i\":1,\"e\":\"\"}");

    (void)state;
    assert_int_equal(body_open(request, BODY_MAX, &body), STATUS_OK);
    const char *text = body_string(request, body, "a");
    const char *empty = body_string(request, body, "e");
    assert_null(body_string(request, body, "n"));
    assert_null(body_string(request, body, "i"));
    assert_null(body_string(request, body, "missing"));
    json_free(body);
    expect_text("text", text,
                "Gr\xc3\xbc\xc3\x9f"
                "e");
    expect_text("empty", empty, "");
    incoming_close(&incoming);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),        cmocka_unit_test(test_size),
        cmocka_unit_test(test_content_type), cmocka_unit_test(test_content),
        cmocka_unit_test(test_nul_byte),     cmocka_unit_test(test_strings_outlive_the_body),
    };

    return cmocka_run_group_tests_name("body", tests, NULL, NULL);
}
