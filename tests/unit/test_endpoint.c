/* From a statement's result to the response. */
#include "api/endpoint.h"

#include "api/status.h"
#include "base/log.h"
#include "capture.h"
#include "incoming.h"
#include "unit.h"

static const struct endpoint OBJECT = {
    .method = METHOD_GET,
    .pattern = "/api/thing",
    .missing = STATUS_NOT_FOUND,
    .outcomes = {STATUS_USER_NOT_FOUND, STATUS_FORBIDDEN},
};

static const struct endpoint LIST = {
    .method = METHOD_GET, .pattern = "/api/list", .missing = STATUS_INTERNAL, .is_list = true};

struct finished {
    struct incoming incoming;
    struct response response;
    size_t logged; /* lines */
};

static void finish(struct finished *finished, const struct endpoint *endpoint,
                   const struct result *result)
{
    struct buf said = {0};

    *finished = (struct finished){0};
    struct call call = {.request = incoming_get(&finished->incoming, "/?limit=3"),
                        .page = {.limit = "3"}};
    log_setup(LOG_INFO, LOG_FORMAT_JSON);
    capture_start();
    endpoint_finish(endpoint, &call, result, &finished->response);
    finished->logged = capture_stop(&said);
    buf_release(&said);
}

static void done(struct finished *finished)
{
    response_release(&finished->response);
    incoming_close(&finished->incoming);
}

static void test_outcomes(void **state)
{
    static const struct {
        const char *outcome;
        const char *body;
        int http;
        const char *answer;
        size_t logged;
    } rows[] = {
        {"ok", "{\"a\":1}", 200, "{\"a\":1}", 0},
        {NULL, NULL, 404, "[\"not_found\"]", 0},
        {"user_not_found", NULL, 422, "[\"user_not_found\"]", 0},
        {"user_not_found", "{\"a\":1}", 422, "[\"user_not_found\"]", 0},
        {"generic_403", NULL, 403, "[\"generic_403\"]", 0},
        /* Outcomes that this endpoint does not have, or no endpoint has: a bug, which is logged. */
        {"not_found", NULL, 500, "[\"generic_500\"]", 1},
        {"database_unavailable", NULL, 500, "[\"generic_500\"]", 1},
        {"nonsense", NULL, 500, "[\"generic_500\"]", 1},
        {"", NULL, 500, "[\"generic_500\"]", 1},
        {"OK", NULL, 500, "[\"generic_500\"]", 1},
        {"ok", NULL, 500, "[\"generic_500\"]", 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *label = rows[i].outcome != NULL ? rows[i].outcome : "no row";
        const struct result result = {.outcome = rows[i].outcome,
                                      .body = rows[i].body,
                                      .body_length = rows[i].body ? strlen(rows[i].body) : 0};
        struct finished finished;

        finish(&finished, &OBJECT, &result);
        expect_integer(label, finished.response.http, rows[i].http);
        expect_text(label, finished.response.body, rows[i].answer);
        expect_integer(label, (long long)finished.response.body_length,
                       (long long)strlen(rows[i].answer));
        expect_integer(label, (long long)finished.logged, (long long)rows[i].logged);
        done(&finished);
    }
}

static void test_failures_of_the_database(void **state)
{
    static const struct {
        enum status status;
        int http;
        const char *header;
    } rows[] = {
        {STATUS_DATABASE_UNAVAILABLE, 503, "Retry-After: 1\r\n"},
        {STATUS_DATABASE_TIMEOUT, 504, "Retry-After: 1\r\n"},
        {STATUS_INTERNAL, 500, ""},
        {STATUS_CONFLICT, 409, ""},
        {STATUS_VALUE_REFUSED, 422, ""},
        {STATUS_MALFORMED_REQUEST, 400, ""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        /* The row of a result that is not OK is ignored. */
        const struct result result = {
            .status = rows[i].status, .outcome = "ok", .body = "{}", .body_length = 2};
        const char *label = status_code(rows[i].status);
        struct finished finished;

        finish(&finished, &OBJECT, &result);
        expect_integer(label, finished.response.http, rows[i].http);
        const struct buf *headers = &finished.response.headers;
        expect_text(label, headers->length > 0 ? headers->bytes : "", rows[i].header);
        done(&finished);
    }
}

static void test_list(void **state)
{
    const struct result full = {
        .outcome = "ok", .body = "[1,2,3]", .body_length = 7, .next_key = "5/uuid"};
    const struct result last = {.outcome = "ok", .body = "[]", .body_length = 2};
    struct finished finished;

    (void)state;
    finish(&finished, &LIST, &full);
    assert_int_equal(finished.response.http, 200);
    expect_text("link", finished.response.headers.bytes,
                "Link: </api/list?limit=3&cursor=NS91dWlk>; rel=\"next\"\r\n");
    done(&finished);
    finish(&finished, &LIST, &last);
    expect_text("empty", finished.response.body, "[]");
    assert_int_equal(finished.response.headers.length, 0);
    done(&finished);
    /* The key is ignored if the endpoint has no list. */
    finish(&finished, &OBJECT, &full);
    assert_int_equal(finished.response.headers.length, 0);
    done(&finished);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_outcomes),
        cmocka_unit_test(test_failures_of_the_database),
        cmocka_unit_test(test_list),
    };

    return cmocka_run_group_tests_name("endpoint", tests, NULL, NULL);
}
