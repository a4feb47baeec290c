/* The handlers as pure functions: a call in, a response or one statement out. */
#include "api/activities.h"

#include "api/health.h"
#include "api/social.h"
#include "api/users.h"
#include "base/json.h"
#include "db/catalog.h"
#include "incoming.h"
#include "unit.h"

struct handled {
    struct incoming incoming;
    struct response response;
    struct statement statement;
    enum decision decision;
};

static void handle(struct handled *handled, handler *function, struct call call)
{
    static const struct caller caller = {.kind = CALLER_BY_HANDLE};

    call.request = &handled->incoming.request;
    call.caller = &caller;
    handled->response = (struct response){0};
    handled->decision = function(&call, &handled->response, &handled->statement);
}

static void done(struct handled *handled)
{
    response_release(&handled->response);
    incoming_close(&handled->incoming);
}

/* The value that was bound to a parameter. */
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

static void test_home(void **state)
{
    static const struct page pages[] = {
        {.limit = "50"}, {.limit = "3", .after_us = "17", .after_uuid = "some-uuid"}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(pages); i++) {
        struct handled handled;

        incoming_get(&handled.incoming, "/api/activities/home");
        handle(&handled, activities_home, (struct call){.page = pages[i]});
        assert_int_equal(handled.decision, DECISION_ASK);
        assert_ptr_equal(handled.statement.def, &ACTIVITIES_HOME);
        expect_text("limit", bound(&handled, "limit"), pages[i].limit);
        expect_text("after_us", bound(&handled, "after_us"), pages[i].after_us);
        expect_text("after_uuid", bound(&handled, "after_uuid"), pages[i].after_uuid);
        done(&handled);
    }
}

/* A handler whose statement has one parameter, which is the path's capture. */
static void expect_capture(handler *function, const struct statement_def *def,
                           const char *parameter)
{
    struct handled handled;

    incoming_get(&handled.incoming, "/");
    handled.incoming.request.capture[0] = "the capture";
    handle(&handled, function, (struct call){0});
    assert_int_equal(handled.decision, DECISION_ASK);
    assert_ptr_equal(handled.statement.def, def);
    expect_text(parameter, bound(&handled, parameter), "the capture");
    done(&handled);
}

static void test_one_capture(void **state)
{
    (void)state;
    expect_capture(activities_show, &ACTIVITIES_SHOW, "uuid");
    expect_capture(users_short, &USERS_SHORT, "handle");
}

/* Handles a POST of this body. The body is freed before the test reads the statement. */
static void create(struct handled *handled, const char *text)
{
    struct json *body = json_parse(text, strlen(text));

    expect(text, body != NULL);
    incoming_post(&handled->incoming, "/api/activities", text);
    handle(handled, activities_create, (struct call){.body = body});
    json_free(body);
}

static void test_create(void **state)
{
    static const struct {
        const char *body;
        const char *handle, *message, *ttl;
    } rows[] = {
        {"{\"user_handle\":\"bayko\",\"message\":\"Hello\",\"ttl\":\"7-days\"}", "bayko", "Hello",
         "7 days"},
        {"{\"handle\":\"bayko\",\"message\":\"Hello\",\"ttl\":\"1-hour\"}", "bayko", "Hello",
         "1 hour"},
        {"{\"handle\":\"x\",\"user_handle\":\"bayko\",\"message\":\"m\",\"ttl\":\"1-day\"}",
         "bayko", "m", "1 day"},
        {"{\"user_handle\":null,\"handle\":\"bayko\",\"message\":\"m\",\"ttl\":\"1-day\"}", "bayko",
         "m", "1 day"},
        {"{\"handle\":\"'; drop table users; "
         "--\",\"message\":\"<b>\\u00fc\\\"\",\"ttl\":\"1-day\"}",
         "'; drop table users; --", "<b>\xc3\xbc\"", "1 day"},
        {"{\"handle\":\"bayko\",\"message\":\" a \",\"ttl\":\"1-day\",\"more\":[1]}", "bayko",
         " a ", "1 day"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct handled handled;

        create(&handled, rows[i].body);
        expect_integer(rows[i].body, handled.decision, DECISION_ASK);
        expect(rows[i].body, handled.statement.def == &ACTIVITIES_CREATE);
        expect_text(rows[i].body, bound(&handled, "handle"), rows[i].handle);
        expect_text(rows[i].body, bound(&handled, "message"), rows[i].message);
        expect_text(rows[i].body, bound(&handled, "ttl"), rows[i].ttl);
        expect(rows[i].body, uuid_is_valid(bound(&handled, "uuid")));
        done(&handled);
    }
}

/* A create that may mention a user takes the lock of that user's notifications. */
static void test_creates_that_may_mention(void **state)
{
    static const struct {
        const char *message;
        bool may_mention;
    } rows[] = {
        {"hello", false}, {"#tag", false},       {"\u4e2d\uff21", false}, {"@londo", true},
        {"a@b", true},    {"\uff20londo", true}, {"\ufe6blondo", true},
    };
    struct arena arena = {0};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct handled handled;

        create(&handled,
               arena_printf(&arena, "{\"message\":\"%s\",\"handle\":\"a\",\"ttl\":\"1-day\"}",
                            rows[i].message));
        expect(rows[i].message, handled.statement.takes_locks == rows[i].may_mention);
        done(&handled);
    }
    arena_release(&arena);
}

static void test_each_create_has_a_uuid_of_its_own(void **state)
{
    static const char body[] = "{\"handle\":\"a\",\"message\":\"m\",\"ttl\":\"1-day\"}";
    struct handled first, second;

    (void)state;
    create(&first, body);
    create(&second, body);
    assert_string_not_equal(bound(&first, "uuid"), bound(&second, "uuid"));
    done(&first);
    done(&second);
}

static void test_create_refused(void **state)
{
    static const struct {
        const char *body;
        const char *codes;
    } rows[] = {
        {"{}", "[\"message_blank\",\"user_handle_blank\",\"ttl_blank\"]"},
        {"{\"message\":\"\",\"user_handle\":\"\",\"handle\":\"\",\"ttl\":\"\"}",
         "[\"message_blank\",\"user_handle_blank\",\"ttl_blank\"]"},
        {"{\"message\":null,\"user_handle\":1,\"ttl\":[\"1-day\"]}",
         "[\"message_blank\",\"user_handle_blank\",\"ttl_blank\"]"},
        {"{\"user_handle\":\"a\",\"ttl\":\"1-day\"}", "[\"message_blank\"]"},
        {"{\"message\":\"m\",\"ttl\":\"1-day\"}", "[\"user_handle_blank\"]"},
        {"{\"message\":\"m\",\"handle\":\"a\"}", "[\"ttl_blank\"]"},
        {"{\"message\":\"m\",\"handle\":\"a\",\"ttl\":\"2-days\"}", "[\"ttl_blank\"]"},
        {"{\"message\":\"m\",\"handle\":\"a\",\"ttl\":7}", "[\"ttl_blank\"]"},
        {"{\"ttl\":\"never\",\"message\":\"m\"}", "[\"user_handle_blank\",\"ttl_blank\"]"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct handled handled;

        create(&handled, rows[i].body);
        expect_integer(rows[i].body, handled.decision, DECISION_RESPOND);
        expect_integer(rows[i].body, handled.response.http, 422);
        expect_text(rows[i].body, handled.response.body, rows[i].codes);
        done(&handled);
    }
}

static void test_create_with_a_message_too_long(void **state)
{
    struct handled handled;
    struct arena arena = {0};
    char message[4 * 281 + 1] = "";

    (void)state;
    for (size_t i = 0; i < 280; i++) {
        memcpy(message + 4 * i, "\xf0\x9f\x98\x80", 5);
    }
    create(&handled, arena_printf(&arena, "{\"message\":\"%s\",\"handle\":\"a\",\"ttl\":\"1-day\"}",
                                  message));
    assert_int_equal(handled.decision, DECISION_ASK);
    expect_text("280", bound(&handled, "message"), message);
    done(&handled);
    create(&handled, arena_printf(&arena, "{\"message\":\"%sx\"}", message));
    assert_int_equal(handled.decision, DECISION_RESPOND);
    expect_text("281", handled.response.body,
                "[\"message_exceed_max_chars\",\"user_handle_blank\",\"ttl_blank\"]");
    done(&handled);
    arena_release(&arena);
}

static void test_health(void **state)
{
    struct handled handled;

    (void)state;
    incoming_get(&handled.incoming, "/livez");
    handle(&handled, health_live, (struct call){0});
    assert_int_equal(handled.decision, DECISION_RESPOND);
    assert_int_equal(handled.response.http, 200);
    expect_text("live", handled.response.body, "{\"success\":true,\"ver\":1}");
    assert_int_equal(handled.response.body_length, strlen(handled.response.body));
    handle(&handled, health_ready, (struct call){0});
    assert_int_equal(handled.decision, DECISION_ASK);
    assert_ptr_equal(handled.statement.def, &HEALTH_READY);
    done(&handled);
}

/* An action and its reversal are one statement; the parameter "on" distinguishes them. */
static void test_marks(void **state)
{
    static const struct {
        handler *function;
        const struct statement_def *def;
        const char *what, *on, *kind;
    } rows[] = {
        {social_like, &SOCIAL_MARK, "uuid", "true", "like"},
        {social_unlike, &SOCIAL_MARK, "uuid", "false", "like"},
        {social_repost, &SOCIAL_MARK, "uuid", "true", "repost"},
        {social_unrepost, &SOCIAL_MARK, "uuid", "false", "repost"},
        {social_follow, &SOCIAL_FOLLOW, "followed", "true", NULL},
        {social_unfollow, &SOCIAL_FOLLOW, "followed", "false", NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct handled handled;

        incoming_get(&handled.incoming, "/");
        handled.incoming.request.capture[0] = "the capture";
        handle(&handled, rows[i].function, (struct call){.default_handle = "bayko"});
        assert_int_equal(handled.decision, DECISION_ASK);
        assert_ptr_equal(handled.statement.def, rows[i].def);
        expect_text("capture", bound(&handled, rows[i].what), "the capture");
        expect_text("on", bound(&handled, "on"), rows[i].on);
        if (rows[i].kind != NULL) {
            expect_text("kind", bound(&handled, "kind"), rows[i].kind);
        }
        expect_text("handle", bound(&handled, "handle"), "bayko");
        expect_text("sub", bound(&handled, "sub"), NULL);
        done(&handled);
    }
}

static void test_whose_mark_nobody_says(void **state)
{
    static handler *const functions[] = {social_like,      social_unrepost,      social_follow,
                                         social_following, social_notifications, social_unread,
                                         activities_delete};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(functions); i++) {
        struct handled handled;

        incoming_get(&handled.incoming, "/");
        handle(&handled, functions[i], (struct call){0});
        assert_int_equal(handled.decision, DECISION_RESPOND);
        assert_int_equal(handled.response.http, 422);
        expect_text("body", handled.response.body, "[\"user_handle_blank\"]");
        done(&handled);
    }
}

/* The reader is not the user whose handle is in the path. */
static void test_who_reads(void **state)
{
    struct handled handled;

    (void)state;
    incoming_get(&handled.incoming, "/");
    handled.incoming.request.capture[0] = "londo";
    handled.incoming.request.capture[1] = "the uuid";
    handle(&handled, activities_show_of, (struct call){.default_handle = "bayko"});
    expect_text("handle", bound(&handled, "handle"), "londo");
    expect_text("uuid", bound(&handled, "uuid"), "the uuid");
    expect_text("viewer", bound(&handled, "viewer"), "bayko");
    handle(&handled, users_feed, (struct call){0});
    expect_text("handle", bound(&handled, "handle"), "londo");
    expect_text("viewer", bound(&handled, "viewer"), NULL);
    done(&handled);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_home),
        cmocka_unit_test(test_one_capture),
        cmocka_unit_test(test_create),
        cmocka_unit_test(test_creates_that_may_mention),
        cmocka_unit_test(test_each_create_has_a_uuid_of_its_own),
        cmocka_unit_test(test_create_refused),
        cmocka_unit_test(test_create_with_a_message_too_long),
        cmocka_unit_test(test_health),
        cmocka_unit_test(test_marks),
        cmocka_unit_test(test_whose_mark_nobody_says),
        cmocka_unit_test(test_who_reads),
    };

    return cmocka_run_group_tests_name("activities", tests, NULL, NULL);
}
