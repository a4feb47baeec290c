/* Error answers in both of their forms. */
#include "api/problem.h"

#include <stdio.h>

#include "api/status.h"
#include "base/json.h"
#include "http/request.h"
#include "http/response.h"
#include "incoming.h"
#include "unit.h"

struct asked {
    struct arena arena;
    struct request request;
    struct response response;
};

static void ask(struct asked *asked, const char *accept, const enum status *failures, size_t count)
{
    *asked = (struct asked){.request = {.accept = accept, .id = "id-1"}};
    asked->request.arena = &asked->arena;
    problem_respond(&asked->response, &asked->request, failures, count);
    assert_int_equal(asked->response.body_length, strlen(asked->response.body));
}

static void done(struct asked *asked)
{
    response_release(&asked->response);
    arena_release(&asked->arena);
}

static void test_array(void **state)
{
    static const enum status failures[] = {STATUS_MESSAGE_BLANK, STATUS_USER_HANDLE_BLANK,
                                           STATUS_TTL_BLANK};
    struct asked asked;

    (void)state;
    ask(&asked, "*/*", failures, 3);
    assert_int_equal(asked.response.http, 422);
    expect_text("type", asked.response.content_type, "application/json");
    expect_text("body", asked.response.body,
                "[\"message_blank\",\"user_handle_blank\",\"ttl_blank\"]");
    assert_int_equal(asked.response.headers.length, 0);
    done(&asked);
}

static void test_problem_document(void **state)
{
    static const enum status failures[] = {STATUS_MESSAGE_BLANK, STATUS_TTL_BLANK};
    struct asked asked;

    (void)state;
    ask(&asked, "application/problem+json", failures, 2);
    assert_int_equal(asked.response.http, 422);
    expect_text("type", asked.response.content_type, "application/problem+json");
    expect_text("body", asked.response.body,
                "{\"type\":\"about:blank\",\"title\":\"Unprocessable Content\",\"status\":422,"
                "\"codes\":[\"message_blank\",\"ttl_blank\"],\"request_id\":\"id-1\"}");
    done(&asked);
}

/* Any failure: its status, its code in both forms, and the headers that belong to it. */
static void check(enum status failure, const char *accept)
{
    int http = status_http(failure);
    char code[64];
    struct asked asked;

    ask(&asked, accept, &failure, 1);
    expect_integer(status_code(failure), asked.response.http, http);
    snprintf(code, sizeof code, "[\"%s\"]", status_code(failure));
    expect_within("code", asked.response.body, code);
    const char *headers = asked.response.headers.length > 0 ? asked.response.headers.bytes : "";
    expect_text(status_code(failure), headers,
                failure == STATUS_UNAUTHENTICATED ? "WWW-Authenticate: Bearer\r\n"
                : http == 401                     ? "WWW-Authenticate: Cruddur-Signature\r\n"
                : failure == STATUS_CONTENT_ENCODING_UNSUPPORTED ? "Accept-Encoding: identity\r\n"
                : http == 429 || http == 503 || http == 504      ? "Retry-After: 1\r\n"
                                                                 : "");
    if (accept != NULL) {
        struct json *document = json_parse(asked.response.body, asked.response.body_length);

        expect(asked.response.body, document != NULL);
        json_free(document);
    }
    done(&asked);
}

static void test_every_failure(void **state)
{
    (void)state;
    for (enum status failure = STATUS_OK + 1; failure < STATUS_COUNT; failure++) {
        check(failure, NULL);
        check(failure, "application/problem+json");
    }
}

static void test_there_is_room_later(void **state)
{
    static const struct {
        enum status failure;
        int retry_after_s;
        const char *headers;
    } rows[] = {
        {STATUS_POSTS_EXCEED_HOURLY_MAX, 3600, "Retry-After: 3600\r\n"},
        {STATUS_POSTS_EXCEED_HOURLY_MAX, 0, "Retry-After: 1\r\n"},
        {STATUS_NOT_FOUND, 3600, NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct incoming incoming = {0};
        struct response response = {0};

        (void)incoming_post(&incoming, "/", "{}");
        problem_respond_later(&response, &incoming.request, rows[i].failure, rows[i].retry_after_s);
        expect_text(status_code(rows[i].failure), response.headers.bytes, rows[i].headers);
        response_release(&response);
        incoming_close(&incoming);
    }
}

/* The weights of both forms are compared; a client that names neither gets the array. */
static void test_the_form_by_weight(void **state)
{
    static const struct {
        const char *accept;
        bool is_document;
    } rows[] = {
        {"application/problem+json", true},
        {"application/problem+json;q=0.1", true},
        {"application/json, application/problem+json", true},
        {"application/json, application/problem+json;q=0.5", false},
        {"application/json;q=0.8, application/problem+json;q=0.9", true},
        {"application/json;q=0.9, application/problem+json;q=0.8", false},
        {"application/problem+json;q=0", false},
        {"*/*", false},
    };
    static const enum status failure = STATUS_NOT_FOUND;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct asked asked;

        ask(&asked, rows[i].accept, &failure, 1);
        expect_text(rows[i].accept, asked.response.content_type,
                    rows[i].is_document ? "application/problem+json" : "application/json");
        done(&asked);
    }
}

static void test_first_failure_decides(void **state)
{
    static const enum status failures[] = {STATUS_DATABASE_UNAVAILABLE, STATUS_UNAUTHENTICATED};
    struct asked asked;

    (void)state;
    ask(&asked, NULL, failures, 2);
    assert_int_equal(asked.response.http, 503);
    expect_text("headers", asked.response.headers.bytes, "Retry-After: 1\r\n");
    done(&asked);
}

static void test_as_many_as_there_can_be(void **state)
{
    enum status failures[PROBLEM_CODES_MAX];
    struct asked asked;
    struct arena wanted = {0};
    const char *list = "";

    (void)state;
    for (size_t i = 0; i < PROBLEM_CODES_MAX; i++) {
        failures[i] = STATUS_NOT_FOUND;
        list = arena_printf(&wanted, "%s%s\"not_found\"", list, i > 0 ? "," : "");
    }
    ask(&asked, NULL, failures, PROBLEM_CODES_MAX);
    expect_text("body", asked.response.body, arena_printf(&wanted, "[%s]", list));
    done(&asked);
    arena_release(&wanted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_array),
        cmocka_unit_test(test_problem_document),
        cmocka_unit_test(test_every_failure),
        cmocka_unit_test(test_there_is_room_later),
        cmocka_unit_test(test_the_form_by_weight),
        cmocka_unit_test(test_first_failure_decides),
        cmocka_unit_test(test_as_many_as_there_can_be),
    };

    return cmocka_run_group_tests_name("problem", tests, NULL, NULL);
}
