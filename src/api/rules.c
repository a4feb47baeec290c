/* The rules for values that people send. Lengths count code points, as the columns of the schema
 * do, and not bytes. A rule adds the code of what is wrong to a list and returns; a request that
 * breaks several rules is answered with all of them at once, in the order of the checks. Rules
 * that need rows are not here but in the statements. */
#include "api/rules.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "api/status.h"
#include "base/arena.h"
#include "base/utf8.h"

/* Rules beyond RULES_BROKEN_MAX are left out: the client can go on with the first ones. */
void broken_add(struct broken *broken, enum status rule)
{
    if (broken->count < RULES_BROKEN_MAX) {
        broken->rules[broken->count++] = rule;
    }
}

/* Text is blank if it has only invisible characters, such as spaces of any kind. Blank and too long
 * are different codes. */
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

/* A display name is shown in one line, so control characters and line breaks are refused. */
void rule_display_name(const char *display_name, struct broken *broken)
{
    rule_length(display_name, DISPLAY_NAME_MAX_CHARS, STATUS_DISPLAY_NAME_BLANK,
                STATUS_DISPLAY_NAME_EXCEED_MAX_CHARS, broken);
    if (display_name != NULL && !utf8_is_blank(display_name) && utf8_has_control(display_name)) {
        broken_add(broken, STATUS_DISPLAY_NAME_INVALID);
    }
}

void rule_reason(const char *reason, struct broken *broken)
{
    rule_length(reason, REASON_MAX_CHARS, STATUS_REASON_BLANK, STATUS_REASON_EXCEED_MAX_CHARS,
                broken);
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

/* Whether it is one of the IANA database's names with digits, other than those of
 * fixed_zone_length. */
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

void rule_days(const char *days, struct broken *broken)
{
    size_t digits = strspn(days, "0123456789");

    if (digits == 0 || digits > 3 || days[digits] != '\0' || strtol(days, NULL, 10) < 1 ||
        strtol(days, NULL, 10) > DAYS_MAX) {
        broken_add(broken, STATUS_DAYS_INVALID);
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

/* Reads a number of exactly so many digits and moves *at behind it; -1: they are not there. */
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

/* Moves behind the character if it is there. */
static bool take_char(const char **at, char c)
{
    bool is_there = **at == c;

    *at += is_there;
    return is_there;
}

/* Reads a number from first to last, and the separator behind it unless that is NUL. */
static bool take_part(const char **at, int digits, int first, int last, char separator, int *part)
{
    *part = take_number(at, digits);
    return *part >= first && *part <= last && (separator == '\0' || take_char(at, separator));
}

/* Days of a month, from 1. */
static int days_of(int year, int month)
{
    static const int DAYS[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return DAYS[month - 1] + (month == 2 && is_leap);
}

/* The fields of an RFC 3339 time. */
struct moment {
    int year, month, day, hour, minute, second;
    int microsecond;
    int offset_minutes; /* east of UTC */
};

/* The digits of a second's fraction; those beyond the sixth are ignored. A time with one to three
 * digits is taken as cut to milliseconds and means the end of its millisecond. */
static bool take_fraction(const char **at, struct moment *moment)
{
    if (!take_char(at, '.')) {
        return true;
    }
    size_t digits = strspn(*at, "0123456789");
    for (size_t i = 0, unit = 100000; i < digits && unit > 0; i++, unit /= 10) {
        moment->microsecond += ((*at)[i] - '0') * (int)unit;
    }
    moment->microsecond += digits <= 3 ? 999 : 0;
    *at += digits;
    return digits >= 1;
}

/* Z or a difference from UTC. -00:00 means UTC of an unknown place, and counts as UTC here. */
static bool take_offset(const char **at, struct moment *moment)
{
    int hours, minutes, sign = **at == '-' ? -1 : 1;

    if (take_char(at, 'Z') || take_char(at, 'z')) {
        return true;
    }
    if ((!take_char(at, '+') && !take_char(at, '-')) || !take_part(at, 2, 0, 23, ':', &hours) ||
        !take_part(at, 2, 0, 59, '\0', &minutes)) {
        return false;
    }
    moment->offset_minutes = sign * (60 * hours + minutes);
    return true;
}

/* Days since 1970, by the proleptic Gregorian calendar. */
static int64_t days_since_epoch(int year, int month, int day)
{
    static const int BEFORE[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    const int64_t past = year - 1;
    bool is_behind_leap_day = month > 2 && days_of(year, 2) == 29;

    return past * 365 + past / 4 - past / 100 + past / 400 - 719162 + BEFORE[month - 1] +
           is_behind_leap_day + day - 1;
}

/* Minutes since 1970 in UTC. */
static int64_t minutes_since_epoch(const struct moment *moment)
{
    return days_since_epoch(moment->year, moment->month, moment->day) * 1440 + moment->hour * 60 +
           moment->minute - moment->offset_minutes;
}

/* A leap second is second 60 of the last minute of a UTC day. It becomes the last microsecond of
 * that day. */
static bool take_leap_second(struct moment *moment)
{
    if (moment->second == 60) {
        moment->second = 59;
        moment->microsecond = 999999;
        return (minutes_since_epoch(moment) + 1) % 1440 == 0;
    }
    return true;
}

/* The whole grammar of RFC 3339 in its order. A field's range is checked as soon as the field is
 * read, as the next check may depend on it. */
static bool take_moment(const char *at, struct moment *moment)
{
    return take_part(&at, 4, 1, 9999, '-', &moment->year) &&
           take_part(&at, 2, 1, 12, '-', &moment->month) &&
           take_part(&at, 2, 1, days_of(moment->year, moment->month), '\0', &moment->day) &&
           (take_char(&at, 'T') || take_char(&at, 't')) &&
           take_part(&at, 2, 0, 23, ':', &moment->hour) &&
           take_part(&at, 2, 0, 59, ':', &moment->minute) &&
           take_part(&at, 2, 0, 60, '\0', &moment->second) && take_fraction(&at, moment) &&
           take_offset(&at, moment) && *at == '\0' && take_leap_second(moment);
}

/* The time is computed here and not by PostgreSQL, whose input of times accepts much more than RFC
 * 3339, such as the word "now". */
const char *rule_time(const char *time, struct arena *arena, struct broken *broken)
{
    struct moment moment = {0};

    if (time == NULL) {
        return NULL;
    }
    if (!take_moment(time, &moment)) {
        broken_add(broken, STATUS_UNTIL_INVALID);
        return NULL;
    }
    return arena_printf(arena, "%" PRId64,
                        (minutes_since_epoch(&moment) * 60 + moment.second) * 1000000 +
                            moment.microsecond);
}

/* A closed list, so that every post expires within a known time. */
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
