/* The handler of Cognito's PostConfirmation trigger: which events ask the database, and with what. */
#include "api/hooks.h"

#include "base/ids.h"
#include "base/json.h"
#include "confirmation/confirmation.h"
#include "db/catalog.h"
#include "incoming.h"
#include "unit.h"

#define SIGN_UP "\"triggerSource\":\"PostConfirmation_ConfirmSignUp\""

struct handled {
    struct incoming incoming;
    struct response response;
    struct statement statement;
    enum decision decision;
};

static void handle(struct handled *handled, const char *text, const char *pool)
{
    static const struct caller nobody = {.kind = CALLER_ANONYMOUS};
    struct json *body = json_parse(text, strlen(text));

    expect(text, body != NULL);
    incoming_post(&handled->incoming, "/", text);
    struct call call = {
        .request = &handled->incoming.request, .caller = &nobody, .body = body, .user_pool = pool};
    handled->incoming.request.signature = "t=1700000000,v1=00"; /* accepted by signature_verify() */
    handled->response = (struct response){0};
    handled->decision = hooks_post_confirmation(&call, &handled->response, &handled->statement);
    json_free(body);
}

static void done(struct handled *handled)
{
    response_release(&handled->response);
    incoming_close(&handled->incoming);
}

static const char *bound(const struct handled *handled, const char *parameter)
{
    const char *const *names = handled->statement.def->parameters;
    size_t i = 0;

    while (names[i] != NULL && strcmp(names[i], parameter) != 0) {
        i++;
    }
    expect(parameter, names[i] != NULL);
    return handled->statement.values[i];
}

static void test_asks(void **state)
{
    /* The statement, not the handler, refuses a body that is not the trigger's. */
    static const char *const bodies[] = {
        "{" SIGN_UP "}",
        " {\"a\" : [1.50, \"\\u00e9\"], " SIGN_UP " }\n",
        "{}",
        "{\"triggerSource\":null}",
        "{\"triggerSource\":1}",
    };
    static const char *const pools[] = {NULL, "us-east-1_pool"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        struct handled handled;

        handle(&handled, bodies[i], pools[i % 2]);
        expect_integer(bodies[i], handled.decision, DECISION_ASK);
        expect(bodies[i], handled.statement.def == &CONFIRMATION_STATEMENT);
        expect_text("the body as it came", bound(&handled, "event"), bodies[i]);
        expect_text("pool", bound(&handled, "pool"), pools[i % 2]);
        expect("uuid", uuid_is_valid(bound(&handled, "uuid")));
        expect_text("signed_at", bound(&handled, "signed_at"), "1700000000");
        done(&handled);
    }
}

static void test_answers(void **state)
{
    static const char *const bodies[] = {
        "{\"triggerSource\":\"PostConfirmation_ConfirmForgotPassword\"}",
        " {\"triggerSource\" : \"\" , \"a\":1}\n",
        "{\"triggerSource\":\"PostConfirmation_ConfirmSignUp \"}",
        "{\"triggerSource\":\"postconfirmation_confirmsignup\"}",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        struct handled handled;

        handle(&handled, bodies[i], "us-east-1_pool");
        expect_integer(bodies[i], handled.decision, DECISION_RESPOND);
        expect_integer(bodies[i], handled.response.http, 200);
        expect_text("type", handled.response.content_type, "application/json");
        expect_text("body", handled.response.body, bodies[i]);
        expect_integer(bodies[i], (long long)handled.response.body_length,
                       (long long)strlen(bodies[i]));
        done(&handled);
    }
}

static void test_each_has_a_uuid_of_its_own(void **state)
{
    struct handled first, second;

    (void)state;
    handle(&first, "{" SIGN_UP "}", NULL);
    handle(&second, "{" SIGN_UP "}", NULL);
    assert_string_not_equal(bound(&first, "uuid"), bound(&second, "uuid"));
    done(&first);
    done(&second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_asks),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_each_has_a_uuid_of_its_own),
    };

    return cmocka_run_group_tests_name("hooks", tests, NULL, NULL);
}
