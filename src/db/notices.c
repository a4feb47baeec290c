/* Warnings of the server are logged, each kind once an interval. The kind is the text without its
 * digits, because a text with a transaction id or a size in it would otherwise be a new kind each
 * time. All sessions of a process share the table, because they get the same warnings. */
#include "db/notices.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/repeats.h"

/* The first line without its digits. */
static void make_key(char key[REPEATS_KEY_SIZE], const char *text)
{
    size_t length = 0;

    for (; *text != '\0' && *text != '\n' && length < REPEATS_KEY_SIZE - 1; text++) {
        if (!isdigit((unsigned char)*text)) {
            key[length++] = *text;
        }
    }
    key[length] = '\0';
}

/* The count of lines that were left out is in the next line of that kind. */
void notices_note(const char *text)
{
    static struct repeats repeats;
    char key[REPEATS_KEY_SIZE];
    unsigned unlogged;

    make_key(key, text);
    if (!repeats_admit(&repeats, key, clock_ms(), &unlogged)) {
        return;
    }
    int length = (int)strcspn(text, "\n");
    if (unlogged > 0) {
        log_message(LOG_WARNING, "database", "WARNING: %.*s (and %u like it before)", length, text,
                    unlogged);
    } else {
        log_message(LOG_WARNING, "database", "WARNING: %.*s", length, text);
    }
}
