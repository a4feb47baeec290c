/* The head of an answer, byte for byte. */
#include "http/response.h"

#include "http/request.h"
#include "unit.h"

static const struct request REQUEST = {.id = "id-1"};

static void expect_head(struct response *response, const char *wanted)
{
    struct buf head = {0};

    response_head(response, &REQUEST, &head);
    expect_text("head", head.bytes, wanted);
    buf_release(&head);
}

static void test_json(void **state)
{
    struct response response = {0};

    (void)state;
    response_json(&response, "{\"a\":1}", 7);
    expect_head(&response, "Status: 200 OK\r\n"
                           "Content-Type: application/json\r\n"
                           "Content-Length: 7\r\n"
                           "X-Request-Id: id-1\r\n"
                           "X-Content-Type-Options: nosniff\r\n"
                           "Cache-Control: no-store\r\n"
                           "\r\n");
    assert_int_equal(response.body_length, 7);
    response_release(&response);
}

static void test_stream(void **state)
{
    struct response response = {0};

    (void)state;
    response_stream(&response, "text/event-stream");
    expect_head(&response, "Status: 200 OK\r\n"
                           "Content-Type: text/event-stream\r\n"
                           "X-Request-Id: id-1\r\n"
                           "X-Content-Type-Options: nosniff\r\n"
                           "Cache-Control: no-store\r\n"
                           "X-Accel-Buffering: no\r\n"
                           "\r\n");
    response_release(&response);
}

static void test_empty(void **state)
{
    struct response response = {0};

    (void)state;
    response_empty(&response);
    response_header(&response, "Allow", "GET, OPTIONS");
    response_header(&response, "Retry-After", "1");
    expect_head(&response, "Status: 204 No Content\r\n"
                           "X-Request-Id: id-1\r\n"
                           "X-Content-Type-Options: nosniff\r\n"
                           "Cache-Control: no-store\r\n"
                           "Allow: GET, OPTIONS\r\n"
                           "Retry-After: 1\r\n"
                           "\r\n");
    assert_int_equal(response.body_length, 0);
    response_release(&response);
}

static void test_used_again(void **state)
{
    struct response response = {0};

    (void)state;
    response_json(&response, "[]", 2);
    response_header(&response, "Link", "<x>");
    response_release(&response);
    assert_int_equal(response.headers.length, 0);
    assert_null(response.content_type);
    assert_null(response.body);
    assert_int_equal(response.body_length, 0);
    response_empty(&response);
    expect_head(&response, "Status: 204 No Content\r\n"
                           "X-Request-Id: id-1\r\n"
                           "X-Content-Type-Options: nosniff\r\n"
                           "Cache-Control: no-store\r\n"
                           "\r\n");
    response_release(&response);
    response_release(&response);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_stream),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_used_again),
    };

    return cmocka_run_group_tests_name("response", tests, NULL, NULL);
}
