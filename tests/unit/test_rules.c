/* The rules for what people send. */
#include "api/rules.h"

#include "base/arena.h"
#include "unit.h"

/* The character repeated. */
static const char *repeated(struct arena *arena, const char *character, size_t count)
{
    size_t length = strlen(character);
    char *text = arena_alloc(arena, length * count + 1);

    for (size_t i = 0; i < count; i++) {
        memcpy(text + i * length, character, length);
    }
    text[length * count] = '\0';
    return text;
}

typedef void rule(const char *text, struct broken *broken);

/* What a rule finds; STATUS_OK for nothing. */
static enum status found(rule *check, const char *text)
{
    struct broken broken = {0};

    check(text, &broken);
    return broken.count > 0 ? broken.rules[0] : STATUS_OK;
}

static void test_lengths(void **state)
{
    static const char *const characters[] = {
        "a",
        " ",
        "\xc3\xbc",
        "\xe2\x82\xac",
        "\xcc\x88",         /* a combining mark counts for itself */
        "\xf0\x9f\x98\x80", /* an emoji for one, not for two of UTF-16 */
    };
    static const struct {
        rule *check;
        size_t limit;
        enum status exceeded;
    } rows[] = {
        {rule_message, 280, STATUS_MESSAGE_EXCEED_MAX_CHARS},
        {rule_long_message, 1024, STATUS_MESSAGE_EXCEED_MAX_CHARS_1024},
        {rule_display_name, 255, STATUS_DISPLAY_NAME_EXCEED_MAX_CHARS},
        {rule_bio, 1024, STATUS_BIO_EXCEED_MAX_CHARS},
    };
    struct arena arena = {0};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(characters); i++) {
        for (size_t k = 0; k < COUNT_OF(rows); k++) {
            const char *fits = repeated(&arena, characters[i], rows[k].limit);
            const char *exceeds = repeated(&arena, characters[i], rows[k].limit + 1);
            bool is_blank_name = rows[k].check == rule_display_name && *characters[i] == ' ';

            expect_integer(characters[i], found(rows[k].check, fits),
                           is_blank_name ? STATUS_DISPLAY_NAME_BLANK : STATUS_OK);
            expect_integer(characters[i], found(rows[k].check, exceeds),
                           is_blank_name ? STATUS_DISPLAY_NAME_BLANK : rows[k].exceeded);
        }
    }
    arena_release(&arena);
}

static void test_blank(void **state)
{
    (void)state;
    assert_int_equal(found(rule_message, NULL), STATUS_MESSAGE_BLANK);
    assert_int_equal(found(rule_message, ""), STATUS_MESSAGE_BLANK);
    assert_int_equal(found(rule_message, "x"), STATUS_OK);
    assert_int_equal(found(rule_long_message, ""), STATUS_MESSAGE_BLANK);
    assert_int_equal(found(rule_display_name, NULL), STATUS_DISPLAY_NAME_BLANK);
    assert_int_equal(found(rule_display_name, " \t\n"), STATUS_DISPLAY_NAME_BLANK);
    assert_int_equal(found(rule_bio, NULL), STATUS_OK);
    assert_int_equal(found(rule_bio, ""), STATUS_OK);
    assert_int_equal(found(rule_receiver_handle, NULL), STATUS_RECEIVER_HANDLE_BLANK);
    assert_int_equal(found(rule_receiver_handle, "x"), STATUS_OK);
}

static void test_user_handle(void **state)
{
    struct broken broken = {0};

    (void)state;
    rule_user_handle("bayko", &broken);
    assert_int_equal(broken.count, 0);
    rule_user_handle(NULL, &broken);
    rule_user_handle("", &broken);
    assert_int_equal(broken.count, 2);
    assert_int_equal(broken.rules[0], STATUS_USER_HANDLE_BLANK);
    assert_int_equal(broken.rules[1], STATUS_USER_HANDLE_BLANK);
}

static void test_ttl(void **state)
{
    static const struct {
        const char *word;
        const char *interval; /* NULL: no such word */
    } rows[] = {
        {"30-days", "30 days"},
        {"7-days", "7 days"},
        {"3-days", "3 days"},
        {"1-day", "1 day"},
        {"12-hours", "12 hours"},
        {"3-hours", "3 hours"},
        {"1-hour", "1 hour"},
        {NULL, NULL},
        {"", NULL},
        {"30 days", NULL},
        {"2-days", NULL},
        {"1-days", NULL},
        {"30-day", NULL},
        {"30-days ", NULL},
        {" 30-days", NULL},
        {"30-DAYS", NULL},
        {"forever", NULL},
        {"-1-day", NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *label = rows[i].word != NULL ? rows[i].word : "none";
        struct broken broken = {0};

        expect_text(label, rule_ttl(rows[i].word, &broken), rows[i].interval);
        expect_integer(label, (long long)broken.count, rows[i].interval == NULL);
        if (rows[i].interval == NULL) {
            assert_int_equal(broken.rules[0], STATUS_TTL_BLANK);
        }
    }
}

static void test_order_and_room(void **state)
{
    struct broken broken = {0};

    (void)state;
    rule_message("", &broken);
    rule_ttl("", &broken);
    rule_user_handle("", &broken);
    assert_int_equal(broken.count, 3);
    assert_int_equal(broken.rules[0], STATUS_MESSAGE_BLANK);
    assert_int_equal(broken.rules[1], STATUS_TTL_BLANK);
    assert_int_equal(broken.rules[2], STATUS_USER_HANDLE_BLANK);
    for (int i = 0; i < 2 * RULES_BROKEN_MAX; i++) {
        rule_ttl(NULL, &broken);
    }
    assert_int_equal(broken.count, RULES_BROKEN_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lengths),        cmocka_unit_test(test_blank),
        cmocka_unit_test(test_user_handle),    cmocka_unit_test(test_ttl),
        cmocka_unit_test(test_order_and_room),
    };

    return cmocka_run_group_tests_name("rules", tests, NULL, NULL);
}
