/* The rules for the texts that users send. */
#include "api/rules.h"

#include "api/status.h"
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
        enum status blank; /* STATUS_OK: it may be blank */
    } rows[] = {
        {rule_message, 280, STATUS_MESSAGE_EXCEED_MAX_CHARS, STATUS_MESSAGE_BLANK},
        {rule_long_message, 1024, STATUS_MESSAGE_EXCEED_MAX_CHARS_1024, STATUS_MESSAGE_BLANK},
        {rule_display_name, 255, STATUS_DISPLAY_NAME_EXCEED_MAX_CHARS, STATUS_DISPLAY_NAME_BLANK},
        {rule_bio, 1024, STATUS_BIO_EXCEED_MAX_CHARS, STATUS_OK},
        {rule_search_term, 300, STATUS_SEARCH_TERM_EXCEED_MAX_CHARS, STATUS_SEARCH_TERM_BLANK},
    };
    struct arena arena = {0};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(characters); i++) {
        for (size_t k = 0; k < COUNT_OF(rows); k++) {
            const char *fits = repeated(&arena, characters[i], rows[k].limit);
            const char *exceeds = repeated(&arena, characters[i], rows[k].limit + 1);
            bool is_blank = *characters[i] == ' ' && rows[k].blank != STATUS_OK;

            expect_integer(characters[i], found(rows[k].check, fits),
                           is_blank ? rows[k].blank : STATUS_OK);
            expect_integer(characters[i], found(rows[k].check, exceeds),
                           is_blank ? rows[k].blank : rows[k].exceeded);
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
    assert_int_equal(found(rule_message, "\u3000\u200b\n\u2800\u3164"), STATUS_MESSAGE_BLANK);
    assert_int_equal(found(rule_message, "\u3000.\u200b"), STATUS_OK);
    assert_int_equal(found(rule_display_name, NULL), STATUS_DISPLAY_NAME_BLANK);
    assert_int_equal(found(rule_display_name, " \t\n"), STATUS_DISPLAY_NAME_BLANK);
    assert_int_equal(found(rule_display_name, "\u202e"), STATUS_DISPLAY_NAME_BLANK);
    assert_int_equal(found(rule_display_name, "a\nb"), STATUS_DISPLAY_NAME_INVALID);
    assert_int_equal(found(rule_display_name, "a\u202e"), STATUS_DISPLAY_NAME_INVALID);
    assert_int_equal(found(rule_display_name, "a \u200d\u00e9"), STATUS_OK);
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
        const char *interval; /* NULL: refused */
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

static void test_days(void **state)
{
    static const char *const good[] = {"1", "7", "007", "365", "366"};
    static const char *const bad[] = {"", "0", "367", "1000", "-1", "+1", " 1", "1 ", "1.0", "x"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        expect_integer(good[i], found(rule_days, good[i]), STATUS_OK);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        expect_integer(bad[i], found(rule_days, bad[i]), STATUS_DAYS_INVALID);
    }
}

static void test_time_zone(void **state)
{
    static const char *const good[] = {
        "UTC",     "Europe/Berlin", "America/Port-au-Prince",
        "W-SU",    "Etc/GMT+12",    "Etc/GMT-14",
        "EST5EDT", "CST6CDT",       "MST7MDT",
        "PST8PDT", "GMT0",          "GMT+0",
        "GMT-0",   "Etc/GMT0",
    };
    static const char *const bad[] = {
        "",     "5",          "ABC5",       "EST5EDT4", "EST6EDT", "GMT+1",
        "GMT1", "Etc/GMT+13", "Etc/GMT-15", "UTC ",     "-UTC",    "est5edt",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        expect_integer(good[i], found(rule_time_zone, good[i]), STATUS_OK);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        expect_integer(bad[i], found(rule_time_zone, bad[i]), STATUS_TIME_ZONE_UNKNOWN);
    }
}

static void test_time(void **state)
{
    static const struct {
        const char *time;
        const char *us;
    } good[] = {
        {"2026-11-21T06:16:02.123456+00:00", "1795241762123456"},
        {"2026-11-21T06:16:02Z", "1795241762000000"},
        {"2026-11-21t06:16:02z", "1795241762000000"},
        {"2026-11-21T06:16:02.123Z", "1795241762123999"},
        {"2026-11-21T06:16:02.1234Z", "1795241762123400"},
        {"2026-11-21T06:16:02.123456789Z", "1795241762123456"},
        {"2024-02-29T00:00:00Z", "1709164800000000"},
        {"2024-03-01T00:00:00Z", "1709251200000000"},
        {"2000-02-29T23:59:59.1-15:59", "951926339100999"},
        {"2026-11-21T06:16:02+23:59", "1795155422000000"},
        {"2016-12-31T23:59:60Z", "1483228799999999"},
        {"1969-12-31T23:59:59.999999Z", "-1"},
        {"0001-01-01T00:00:00.000000Z", "-62135596800000000"},
        {"9999-12-31T23:59:59+05:30", "253402280999000000"},
    };
    static const char *const bad[] = {
        "",
        "now",
        "2026-11-21",
        "2026-11-21T06:16:02",
        "2026-11-21 06:16:02Z",
        "2026-11-21T06:16Z",
        "2026-11-21T06:16:02.Z",
        "2026-11-21T06:16:02+0000",
        "2026-11-21T06:16:02+00",
        "2026-11-21T06:16:02+24:00",
        "2026-11-21T06:16:02+00:60",
        "2016-12-31T22:59:60Z",
        "2026-11-21T06:16:02ZZ",
        "2026-11-21T06:16:02Z ",
        " 2026-11-21T06:16:02Z",
        "2026-11-21T24:00:00Z",
        "2026-11-21T06:60:02Z",
        "2026-11-21T06:16:60Z",
        "2026-00-21T06:16:02Z",
        "2026-13-21T06:16:02Z",
        "2026-11-00T06:16:02Z",
        "2026-11-31T06:16:02Z",
        "2026-02-29T06:16:02Z",
        "1900-02-29T06:16:02Z",
        "0000-01-01T00:00:00Z",
        "12026-11-21T06:16:02Z",
        "+026-11-21T06:16:02Z",
        "2026-1\xd9\xa1-21T06:16:02Z",
    };

    struct arena arena = {0};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        struct broken broken = {0};

        expect_text(good[i].time, rule_time(good[i].time, &arena, &broken), good[i].us);
        expect(good[i].time, broken.count == 0);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct broken broken = {0};

        expect(bad[i], rule_time(bad[i], &arena, &broken) == NULL);
        expect(bad[i], broken.count == 1);
        expect_integer(bad[i], broken.rules[0], STATUS_UNTIL_INVALID);
    }
    struct broken broken = {0};
    assert_null(rule_time(NULL, &arena, &broken));
    assert_int_equal(broken.count, 0);
    arena_release(&arena);
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
        cmocka_unit_test(test_lengths),     cmocka_unit_test(test_blank),
        cmocka_unit_test(test_user_handle), cmocka_unit_test(test_ttl),
        cmocka_unit_test(test_days),        cmocka_unit_test(test_time_zone),
        cmocka_unit_test(test_time),        cmocka_unit_test(test_order_and_room),
    };

    return cmocka_run_group_tests_name("rules", tests, NULL, NULL);
}
