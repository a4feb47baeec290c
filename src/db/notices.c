#include "db/notices.h"

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

enum { KEY_SIZE = 64 };

/* What was said within the last minute. The last one is for all that found no place. */
static struct notice {
    char key[KEY_SIZE]; /* the text without its digits; "": unused */
    int64_t logged_ms;
    unsigned unsaid; /* times that it came since then */
} notices[NOTICES_MAX + 1];

static void make_key(char key[KEY_SIZE], const char *text)
{
    size_t length = 0;

    for (; *text != '\0' && *text != '\n' && length < KEY_SIZE - 1; text++) {
        if (!isdigit((unsigned char)*text)) {
            key[length++] = *text;
        }
    }
    key[length] = '\0';
}

static bool is_old(const struct notice *notice, int64_t now_ms)
{
    return notice->key[0] == '\0' || now_ms - notice->logged_ms >= NOTICES_INTERVAL_MS;
}

/* Its own place, or one whose minute is over, or the one for all others. */
static struct notice *place_of(const char *key, int64_t now_ms)
{
    struct notice *place = &notices[NOTICES_MAX];

    for (size_t i = 0; i < NOTICES_MAX; i++) {
        if (strcmp(notices[i].key, key) == 0) {
            return &notices[i];
        }
        if (place == &notices[NOTICES_MAX] && is_old(&notices[i], now_ms)) {
            place = &notices[i];
        }
    }
    if (place != &notices[NOTICES_MAX]) {
        *place = (struct notice){0};
        strcpy(place->key, key);
        place->logged_ms = now_ms - NOTICES_INTERVAL_MS;
    } else if (place->key[0] == '\0') {
        strcpy(place->key, "others");
        place->logged_ms = now_ms - NOTICES_INTERVAL_MS;
    }
    return place;
}

void notices_note(const char *text)
{
    char key[KEY_SIZE];
    int64_t now_ms = clock_ms();

    make_key(key, text);
    struct notice *notice = place_of(key[0] != '\0' ? key : "?", now_ms);
    if (now_ms - notice->logged_ms < NOTICES_INTERVAL_MS) {
        notice->unsaid++;
        return;
    }
    int length = (int)strcspn(text, "\n");
    if (notice->unsaid > 0) {
        log_message(LOG_WARNING, "database", "WARNING: %.*s (and %u like it before)", length, text,
                    notice->unsaid);
    } else {
        log_message(LOG_WARNING, "database", "WARNING: %.*s", length, text);
    }
    notice->unsaid = 0;
    notice->logged_ms = now_ms;
}
