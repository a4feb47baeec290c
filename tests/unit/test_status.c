/* The table of all results that a request can have. */
#include "api/status.h"

#include "http/response.h"

#include "unit.h"

static void test_every_status_has_its_row(void **state)
{
    (void)state;
    for (enum status status = STATUS_OK; status < STATUS_COUNT; status++) {
        const char *code = status_code(status);

        assert_non_null(code);
        expect_integer(code, status_from_code(code), status); /* so no code occurs twice */
        assert_string_not_equal(response_reason(status_http(status)), "Unknown");
        assert_int_equal(strspn(code, "abcdefghijklmnopqrstuvwxyz_0123456789"), strlen(code));
    }
    expect_integer("unknown", status_from_code("no_such_code"), STATUS_COUNT);
    expect_integer("empty", status_from_code(""), STATUS_COUNT);
    expect_text("a status of nobody's", response_reason(299), "Unknown");
}

static void test_contract(void **state)
{
    static const struct {
        const char *code;
        int http;
        bool passing;
    } rows[] = {
        {"ok", 200, false},
        {"malformed_request", 400, false},
        {"body_not_utf8", 400, false},
        {"body_not_json", 400, false},
        {"body_truncated", 400, false},
        {"generic_401", 401, false},
        {"signature_invalid", 401, false},
        {"signature_expired", 401, false},
        {"generic_403", 403, false},
        {"user_pool_mismatch", 403, false},
        {"not_found", 404, false},
        {"method_not_allowed", 405, false},
        {"handle_taken", 409, false},
        {"email_taken", 409, false},
        {"request_timeout", 408, false},
        {"body_too_large", 413, false},
        {"uri_too_long", 414, false},
        {"content_type_unsupported", 415, false},
        {"ttl_blank", 422, false},
        {"user_handle_blank", 422, false},
        {"message_blank", 422, false},
        {"message_exceed_max_chars", 422, false},
        {"user_not_found", 422, false},
        {"search_term_blank", 422, false},
        {"time_zone_unknown", 422, false},
        {"limit_invalid", 422, false},
        {"cursor_invalid", 422, false},
        {"generic_500", 500, false},
        {"not_implemented", 501, false},
        {"database_unavailable", 503, true},
        {"streams_exceed_max", 503, true},
        {"database_timeout", 504, true},
        {"too_many_requests", 429, true},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        enum status status = status_from_code(rows[i].code);

        expect(rows[i].code, status != STATUS_COUNT);
        expect_integer(rows[i].code, status_http(status), rows[i].http);
        expect_integer(rows[i].code, status_is_passing(status), rows[i].passing);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_status_has_its_row),
        cmocka_unit_test(test_contract),
    };

    return cmocka_run_group_tests_name("status", tests, NULL, NULL);
}
