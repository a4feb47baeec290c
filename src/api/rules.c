#include "api/rules.h"

#include <string.h>

#include "base/utf8.h"

static void add(struct broken *broken, enum status rule)
{
    if (broken->count < RULES_BROKEN_MAX) {
        broken->rules[broken->count++] = rule;
    }
}

void rule_message(const char *message, size_t max_chars, struct broken *broken)
{
    if (message == NULL || *message == '\0') {
        add(broken, STATUS_MESSAGE_BLANK);
    } else if (utf8_code_points(message) > max_chars) {
        add(broken, STATUS_MESSAGE_EXCEED_MAX_CHARS);
    }
}

void rule_user_handle(const char *handle, struct broken *broken)
{
    if (handle == NULL || *handle == '\0') {
        add(broken, STATUS_USER_HANDLE_BLANK);
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
    add(broken, STATUS_TTL_BLANK);
    return NULL;
}
