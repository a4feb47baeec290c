#include "api/rules.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

void broken_add(struct broken *broken, enum status rule)
{
    if (broken->count < RULES_BROKEN_MAX) {
        broken->rules[broken->count++] = rule;
    }
}

static void rule_length(const char *text, size_t max_chars, enum status blank, enum status too_long,
                        struct broken *broken)
{
    if (text == NULL || utf8_is_blank(text)) {
        broken_add(broken, blank);
    } else if (utf8_code_points(text) > max_chars) {
        broken_add(broken, too_long);
    }
}

void rule_message(const char *message, struct broken *broken)
{
    rule_length(message, MESSAGE_MAX_CHARS, STATUS_MESSAGE_BLANK, STATUS_MESSAGE_EXCEED_MAX_CHARS,
                broken);
}

void rule_long_message(const char *message, struct broken *broken)
{
    rule_length(message, LONG_MESSAGE_MAX_CHARS, STATUS_MESSAGE_BLANK,
                STATUS_MESSAGE_EXCEED_MAX_CHARS_1024, broken);
}

void rule_display_name(const char *display_name, struct broken *broken)
{
    rule_length(display_name, DISPLAY_NAME_MAX_CHARS, STATUS_DISPLAY_NAME_BLANK,
                STATUS_DISPLAY_NAME_EXCEED_MAX_CHARS, broken);
    if (display_name != NULL && !utf8_is_blank(display_name) && utf8_has_control(display_name)) {
        broken_add(broken, STATUS_DISPLAY_NAME_INVALID);
    }
}

void rule_search_term(const char *term, struct broken *broken)
{
    rule_length(term, SEARCH_TERM_MAX_CHARS, STATUS_SEARCH_TERM_BLANK,
                STATUS_SEARCH_TERM_EXCEED_MAX_CHARS, broken);
}

/* The length of "Etc/GMT+7" and its like at the beginning of name, or 0. */
static size_t fixed_zone_length(const char *name)
{
    static const char START[] = "Etc/GMT";
    const char *sign = name + sizeof START - 1;

    if (strncmp(name, START, sizeof START - 1) != 0 || (*sign != '+' && *sign != '-')) {
        return 0;
    }
    size_t digits = strspn(sign + 1, "0123456789");
    bool is_one =
        digits >= 1 && digits <= 2 && strtol(sign + 1, NULL, 10) <= (*sign == '+' ? 12 : 14);
    return is_one ? sizeof START + digits : 0;
}

/* Whether it is one of the IANA database's names with digits, other than those of fixed_zone_length. */
static bool is_zone_with_digits(const char *name)
{
    static const char *const ZONES[] = {"CST6CDT", "EST5EDT", "Etc/GMT0", "GMT+0",
                                        "GMT-0",   "GMT0",    "MST7MDT",  "PST8PDT"};

    for (size_t i = 0; i < sizeof ZONES / sizeof ZONES[0]; i++) {
        if (strcmp(name, ZONES[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* PostgreSQL also takes POSIX specifications such as "ABC5". They always have digits. */
void rule_time_zone(const char *name, struct broken *broken)
{
    size_t length = fixed_zone_length(name);

    if (is_zone_with_digits(name)) {
        return;
    }
    if (length == 0) {
        length = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_/-");
    }
    if (length == 0 || length > TIME_ZONE_MAX || name[length] != '\0' ||
        !isalpha((unsigned char)name[0])) {
        broken_add(broken, STATUS_TIME_ZONE_UNKNOWN);
    }
}

void rule_bio(const char *bio, struct broken *broken)
{
    if (bio != NULL && utf8_code_points(bio) > BIO_MAX_CHARS) {
        broken_add(broken, STATUS_BIO_EXCEED_MAX_CHARS);
    }
}

void rule_user_handle(const char *handle, struct broken *broken)
{
    if (handle == NULL || *handle == '\0') {
        broken_add(broken, STATUS_USER_HANDLE_BLANK);
    }
}

void rule_receiver_handle(const char *handle, struct broken *broken)
{
    if (handle == NULL || *handle == '\0') {
        broken_add(broken, STATUS_RECEIVER_HANDLE_BLANK);
    }
}

/* The number that so many digits at *at are, behind which *at then is; -1: they are none. */
static int take_number(const char **at, int digits)
{
    int number = 0;

    for (; digits > 0; digits--, (*at)++) {
        if (!isdigit((unsigned char)**at)) {
            return -1;
        }
        number = number * 10 + (**at - '0');
    }
    return number;
}

static bool take_char(const char **at, char c)
{
    bool is_there = **at == c;

    *at += is_there;
    return is_there;
}

/* A number from first to last, with separator behind it unless that is NUL. */
static bool take_part(const char **at, int digits, int first, int last, char separator, int *part)
{
    *part = take_number(at, digits);
    return *part >= first && *part <= last && (separator == '\0' || take_char(at, separator));
}

static int days_of(int year, int month)
{
    static const int DAYS[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return DAYS[month - 1] + (month == 2 && is_leap);
}

static bool take_fraction(const char **at)
{
    if (!take_char(at, '.')) {
        return true;
    }
    size_t digits = strspn(*at, "0123456789");
    *at += digits;
    return digits >= 1 && digits <= 6;
}

static bool take_offset(const char **at)
{
    int part;

    return take_char(at, 'Z') ||
           ((take_char(at, '+') || take_char(at, '-')) && take_part(at, 2, 0, 15, ':', &part) &&
            take_part(at, 2, 0, 59, '\0', &part));
}

static bool is_time(const char *at)
{
    int year, month, part;

    return take_part(&at, 4, 1, 9999, '-', &year) && take_part(&at, 2, 1, 12, '-', &month) &&
           take_part(&at, 2, 1, days_of(year, month), 'T', &part) &&
           take_part(&at, 2, 0, 23, ':', &part) && take_part(&at, 2, 0, 59, ':', &part) &&
           take_part(&at, 2, 0, 59, '\0', &part) && take_fraction(&at) && take_offset(&at) &&
           *at == '\0';
}

const char *rule_time(const char *time, struct broken *broken)
{
    if (time == NULL || is_time(time)) {
        return time;
    }
    broken_add(broken, STATUS_UNTIL_INVALID);
    return NULL;
}

const char *rule_ttl(const char *ttl, struct broken *broken)
{
    /* The choices of the frontends' form. */
    static const struct {
        const char *word;
        const char *interval;
    } TTLS[] = {
        {"30-days", "30 days"},   {"7-days", "7 days"},   {"3-days", "3 days"}, {"1-day", "1 day"},
        {"12-hours", "12 hours"}, {"3-hours", "3 hours"}, {"1-hour", "1 hour"},
    };

    for (size_t i = 0; ttl != NULL && i < sizeof TTLS / sizeof TTLS[0]; i++) {
        if (strcmp(TTLS[i].word, ttl) == 0) {
            return TTLS[i].interval;
        }
    }
    broken_add(broken, STATUS_TTL_BLANK);
    return NULL;
}
