#include "api/rules.h"

#include <stdbool.h>
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
    if (text == NULL || *text == '\0') {
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
    bool is_blank = display_name == NULL || strspn(display_name, " \t\r\n") == strlen(display_name);

    rule_length(is_blank ? NULL : display_name, DISPLAY_NAME_MAX_CHARS, STATUS_DISPLAY_NAME_BLANK,
                STATUS_DISPLAY_NAME_EXCEED_MAX_CHARS, broken);
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
