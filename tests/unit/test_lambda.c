/* The Lambda function, as far as it needs neither AWS nor a database. */
#include <stdlib.h>

#include "base/json.h"
#include "confirmation/confirmation.h"
#include "lambda/environment.h"
#include "lambda/invocation.h"
#include "lambda/runtime.h"
#include "lambda/secret.h"
#include "unit.h"

#define ARN "arn:aws:secretsmanager:eu-central-1:123456789012:secret:cruddur/hook-AbCdEf"

/* --- invocations --- */

static void test_time(void **state)
{
    static const int64_t now = INT64_C(1542409706888);

    (void)state;
    assert_int_equal(invocation_time_ms(4000, 0, now), 4000);
    assert_int_equal(invocation_time_ms(4000, now + 4100, now), 4000);
    assert_int_equal(invocation_time_ms(4000, now + 4099, now), 3999);
    assert_int_equal(invocation_time_ms(4000, now + INT64_C(900000), now), 4000);
    assert_int_equal(invocation_time_ms(4000, now + 101, now), 1);
    assert_int_equal(invocation_time_ms(4000, now + 100, now), 0);
    assert_int_equal(invocation_time_ms(4000, now - 100000, now), 0);
    assert_int_equal(invocation_time_ms(4000, 1, now), 0);
}

static void test_triggers(void **state)
{
    static const struct {
        const char *event, *trigger;
        bool is_for_database;
    } rows[] = {
        {"{\"triggerSource\":\"PostConfirmation_ConfirmSignUp\"}", "PostConfirmation_ConfirmSignUp",
         true},
        {"{\"triggerSource\":\"PostConfirmation_ConfirmForgotPassword\"}",
         "PostConfirmation_ConfirmForgotPassword", false},
        {"{\"triggerSource\":\"CustomSMSSender_Authentication\"}", "CustomSMSSender_Authentication",
         false},
        {"{\"triggerSource\":\"PostConfirmation_\"}", "other", false},
        {"{\"triggerSource\":\"PostConfirmation\"}", "other", false},
        {"{\"triggerSource\":\"PostConfirmation_Ada@example\"}", "other", false},
        {"{\"triggerSource\":\"Ada_Lovelace\"}", "other", false},
        {"{\"triggerSource\":\"PreSignUp_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}",
         "PreSignUp_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false},
        {"{\"triggerSource\":\"PreSignUp_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}",
         "other", false},
        {"{\"triggerSource\":\"\"}", "other", false},
        {"{\"triggerSource\":null}", "none", true},
        {"{\"triggerSource\":[]}", "none", true},
        {"{}", "none", true},
    };
    char trigger[INVOCATION_TRIGGER_SIZE];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct json *event = json_parse(rows[i].event, strlen(rows[i].event));

        expect(rows[i].event, event != NULL);
        invocation_trigger(event, trigger);
        expect_text(rows[i].event, trigger, rows[i].trigger);
        expect_integer(rows[i].event, confirmation_is_for_database(event), rows[i].is_for_database);
        json_free(event);
    }
    invocation_trigger(NULL, trigger);
    expect_text("no JSON", trigger, "none");
}

/* --- the Runtime API --- */

static void test_verdicts(void **state)
{
    static const struct {
        long status;
        enum runtime_verdict verdict;
    } rows[] = {{200, RUNTIME_TAKEN},   {202, RUNTIME_TAKEN},   {400, RUNTIME_REFUSED},
                {403, RUNTIME_REFUSED}, {410, RUNTIME_REFUSED}, {413, RUNTIME_REFUSED},
                {500, RUNTIME_BROKEN},  {503, RUNTIME_BROKEN},  {302, RUNTIME_BROKEN},
                {0, RUNTIME_BROKEN}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(runtime_verdict(rows[i].status), rows[i].verdict);
    }
}

static void test_headers(void **state)
{
    static const char *const id = "8476a536-e9f4-11e8-9739-2dfe598c3fcd";
    struct invocation invocation = {0};

    (void)state;
    assert_true(runtime_take_headers(&invocation, id, "1542409706888"));
    assert_string_equal(invocation.request_id, id);
    assert_int_equal(invocation.deadline_ms, INT64_C(1542409706888));
    assert_true(runtime_take_headers(&invocation, id, NULL));
    assert_int_equal(invocation.deadline_ms, 0);
    assert_true(runtime_take_headers(&invocation, id, "999999999999999"));
    assert_false(runtime_take_headers(&invocation, id, "1000000000000000"));
    assert_false(runtime_take_headers(&invocation, id, ""));
    assert_false(runtime_take_headers(&invocation, id, "-1"));
    assert_false(runtime_take_headers(&invocation, id, "1 "));
    assert_false(runtime_take_headers(&invocation, NULL, "1"));
    assert_false(runtime_take_headers(&invocation, "", "1"));
    assert_false(runtime_take_headers(&invocation, "a/b", "1"));
    assert_false(runtime_take_headers(&invocation, "..", "1"));
}

static void test_error_document(void **state)
{
    struct buf document = {0};

    (void)state;
    runtime_describe_error(&document, "word", "a \"text\"\n");
    assert_string_equal(document.bytes,
                        "{\"errorMessage\":\"a \\\"text\\\"\\u000a\",\"errorType\":\"word\","
                        "\"stackTrace\":[]}");
    buf_release(&document);
}

/* --- secrets --- */

static void expect_place(const char *arn, const char *endpoint, const char *region, const char *url)
{
    struct secret_place place;
    struct error error = {.text = ""};
    bool is_good = secret_locate(arn, endpoint, &place, &error);

    expect_integer(arn, is_good, url != NULL);
    if (is_good) {
        expect_text(arn, place.region, region);
        expect_text(arn, place.url, url);
    }
}

static void test_places(void **state)
{
    (void)state;
    expect_place(ARN, NULL, "eu-central-1", "https://secretsmanager.eu-central-1.amazonaws.com/");
    expect_place("arn:aws-cn:secretsmanager:cn-north-1:1:secret:a", NULL, "cn-north-1",
                 "https://secretsmanager.cn-north-1.amazonaws.com.cn/");
    expect_place("arn:aws-us-gov:secretsmanager:us-gov-west-1:1:secret:a", NULL, "us-gov-west-1",
                 "https://secretsmanager.us-gov-west-1.amazonaws.com/");
    expect_place("cruddur/hook", NULL, NULL, NULL);
    expect_place("arn:aws:s3:eu-central-1:1:secret:a", NULL, NULL, NULL);
    expect_place("arn:aws:secretsmanager::1:secret:a", NULL, NULL, NULL);
    expect_place("arn:aws:secretsmanager:evil.example/:1:secret:a", NULL, NULL, NULL);
    expect_place("arn:aws:secretsmanager:eu-central-1:1:key:a", NULL, NULL, NULL);
    expect_place("arn:aws:secretsmanager:eu-central-1:1:secret:a\"b", NULL, NULL, NULL);
    expect_place("arn:aws:secretsmanager:eu-central-1", NULL, NULL, NULL);
}

static void test_endpoints(void **state)
{
    (void)state;
    for (const char *const *url =
             (const char *const[]){"https://vpce.example/", "http://127.0.0.1:4566",
                                   "http://localhost:4566/", "http://[::1]:1", NULL};
         *url != NULL; url++) {
        expect_place(ARN, *url, "eu-central-1", *url);
    }
    for (const char *const *url =
             (const char *const[]){"http://example.com", "http://localhost.example.com",
                                   "http://127.0.0.1:1@example.com", "ftp://127.0.0.1", "", NULL};
         *url != NULL; url++) {
        expect_place(ARN, *url, NULL, NULL);
    }
}

/* --- settings --- */

static void set_all(const char *const *assignments)
{
    clearenv();
    for (; *assignments != NULL; assignments += 2) {
        setenv(assignments[0], assignments[1], 1);
    }
}

static void test_environment(void **state)
{
    struct environment environment;
    struct error error;

    (void)state;
    set_all((const char *const[]){"CONNECTION_URL", "postgresql://h", "LAMBDA_TASK_ROOT",
                                  "/nowhere", "AWS_ENDPOINT_URL", "https://a", "PGSSLMODE", "",
                                  NULL});
    assert_true(environment_read(&environment, &error));
    assert_null(environment.runtime_api);
    assert_string_equal(environment.endpoint, "https://a");
    assert_string_equal(environment.sql_dir.bytes, "/nowhere/sql");
    assert_int_equal(environment.deadline_ms, 4000);
    assert_string_equal(getenv("PGSSLMODE"), "verify-full");
    assert_null(getenv("PGSSLROOTCERT"));
    environment_release(&environment);

    set_all((const char *const[]){"CONNECTION_URL", "x", "CRUDDUR_SQL_DIR", "/sql", "PGSSLMODE",
                                  "require", "AWS_ENDPOINT_URL", "https://a",
                                  "AWS_ENDPOINT_URL_SECRETS_MANAGER", "https://b",
                                  "CRUDDUR_DEADLINE", "900000", NULL});
    assert_true(environment_read(&environment, &error));
    assert_string_equal(environment.endpoint, "https://b");
    assert_string_equal(environment.sql_dir.bytes, "/sql");
    assert_int_equal(environment.deadline_ms, 900000);
    assert_string_equal(getenv("PGSSLMODE"), "require");
    environment_release(&environment);
}

static void test_wrong_settings(void **state)
{
    static const char *const rows[][6] = {
        {"CONNECTION_URL", ""},
        {"CONNECTION_URL", "x", "CRUDDUR_DEADLINE", "99"},
        {"CONNECTION_URL", "x", "CRUDDUR_DEADLINE", "900001"},
        {"CONNECTION_URL", "x", "CRUDDUR_DEADLINE", "1s"},
        {"CONNECTION_URL", "x", "CRUDDUR_SQL", "/sql"},
        {"DATABASE_SECRET_ARN", ARN},
        {"DATABASE_SECRET_ARN", ARN, "AWS_ACCESS_KEY_ID", "a"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct environment environment;
        struct error error = {.text = ""};

        set_all(rows[i]);
        expect(rows[i][0], !environment_read(&environment, &error));
        expect("a reason", error.text[0] != '\0');
        environment_release(&environment);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_time),           cmocka_unit_test(test_triggers),
        cmocka_unit_test(test_verdicts),       cmocka_unit_test(test_headers),
        cmocka_unit_test(test_error_document), cmocka_unit_test(test_places),
        cmocka_unit_test(test_endpoints),      cmocka_unit_test(test_environment),
        cmocka_unit_test(test_wrong_settings),
    };

    return cmocka_run_group_tests_name("lambda", tests, NULL, NULL);
}
