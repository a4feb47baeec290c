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

/* What rule_message finds; STATUS_OK for nothing. */
static enum status message(const char *text, size_t max)
{
    struct broken broken = {0};

    rule_message(text, max, &broken);
    return broken.count > 0 ? broken.rules[0] : STATUS_OK;
}

static void test_message_length(void **state)
{
    static const char *const characters[] = {
        "a",
        " ",
        "\xc3\xbc",
        "\xe2\x82\xac",
        "\xcc\x88",         /* a combining mark counts for itself */
        "\xf0\x9f\x98\x80", /* an emoji for one, not for two of UTF-16 */
    };
    static const size_t limits[] = {1, MESSAGE_MAX_CHARS, 1024};
    struct arena arena = {0};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(characters); i++) {
        for (size_t k = 0; k < COUNT_OF(limits); k++) {
            const char *fits = repeated(&arena, characters[i], limits[k]);
            const char *exceeds = repeated(&arena, characters[i], limits[k] + 1);

            expect_integer(characters[i], message(fits, limits[k]), STATUS_OK);
            expect_integer(characters[i], message(exceeds, limits[k]),
                           STATUS_MESSAGE_EXCEED_MAX_CHARS);
        }
    }
    assert_int_equal(MESSAGE_MAX_CHARS, 280);
    arena_release(&arena);
}

static void test_message_blank(void **state)
{
    (void)state;
    assert_int_equal(message(NULL, 280), STATUS_MESSAGE_BLANK);
    assert_int_equal(message("", 280), STATUS_MESSAGE_BLANK);
    assert_int_equal(message("x", 280), STATUS_OK);
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
    rule_message("", 280, &broken);
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
        cmocka_unit_test(test_message_length), cmocka_unit_test(test_message_blank),
        cmocka_unit_test(test_user_handle),    cmocka_unit_test(test_ttl),
        cmocka_unit_test(test_order_and_room),
    };

    return cmocka_run_group_tests_name("rules", tests, NULL, NULL);
}
