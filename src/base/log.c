#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

enum { MESSAGE_MAX = 2048 };

static const struct {
    const char *name;
    const char *colour;
} LEVELS[LOG_LEVEL_COUNT] = {
    [LOG_ERROR] = {"error", "\033[31m"},
    [LOG_WARNING] = {"warning", "\033[33m"},
    [LOG_INFO] = {"info", "\033[32m"},
    [LOG_DEBUG] = {"debug", "\033[36m"},
};

static enum log_level threshold = LOG_INFO;
static bool as_text;
static struct buf current;
static int64_t dropped; /* lines that nobody took */

void log_setup(enum log_level level, enum log_format format)
{
    threshold = level;
    as_text = format == LOG_FORMAT_TEXT || (format == LOG_FORMAT_AUTO && isatty(STDERR_FILENO));
}

bool log_wants(enum log_level level)
{
    return level <= threshold;
}

struct log_line log_begin(enum log_level level, const char *event)
{
    char now[CLOCK_TEXT_SIZE];

    clock_text(now);
    buf_clear(&current);
    if (as_text) {
        buf_printf(&current, "%s %s%-7s\033[0m %s", now, LEVELS[level].colour, LEVELS[level].name,
                   event);
    } else {
        buf_printf(&current, "{\"time\":\"%s\",\"level\":\"%s\",\"event\":\"%s\"", now,
                   LEVELS[level].name, event);
    }
    struct log_line line = {&current};
    log_integer(&line, "pid", getpid());
    if (dropped > 0) {
        log_integer(&line, "dropped", dropped);
    }
    return line;
}

void log_string(struct log_line *line, const char *key, const char *value)
{
    if (value == NULL) {
        return;
    }
    if (as_text) {
        bool quoted = strpbrk(value, " \"=") != NULL || *value == '\0';

        buf_printf(line->text, quoted ? " %s=\"" : " %s=", key);
        buf_json_escaped(line->text, value);
        buf_text(line->text, quoted ? "\"" : "");
    } else {
        buf_printf(line->text, ",\"%s\":\"", key);
        buf_json_escaped(line->text, value);
        buf_char(line->text, '"');
    }
}

void log_integer(struct log_line *line, const char *key, int64_t value)
{
    buf_printf(line->text, as_text ? " %s=%lld" : ",\"%s\":%lld", key, (long long)value);
}

void log_milliseconds(struct log_line *line, const char *key, int64_t microseconds)
{
    buf_printf(line->text, as_text ? " %s=%lld.%03lld" : ",\"%s\":%lld.%03lld", key,
               (long long)(microseconds / 1000), (long long)(microseconds % 1000));
}

void log_end(struct log_line *line)
{
    /* A log that nobody reads must not stop the service: a full pipe costs lines, which are counted. */
    struct pollfd reader = {.fd = STDERR_FILENO, .events = POLLOUT};

    buf_text(line->text, as_text ? "\n" : "}\n");
    if (poll(&reader, 1, 0) > 0 &&
        write(STDERR_FILENO, line->text->bytes, line->text->length) >= 0) {
        dropped = 0;
    } else {
        dropped++;
    }
}

static void message(enum log_level level, const char *event, const char *text)
{
    struct log_line line = log_begin(level, event);

    log_string(&line, "message", text);
    log_end(&line);
}

void log_message(enum log_level level, const char *event, const char *format, ...)
{
    char text[MESSAGE_MAX];
    va_list arguments;

    if (!log_wants(level)) {
        return;
    }
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    message(level, event, text);
}

void log_errno(enum log_level level, const char *event, const char *format, ...)
{
    const char *cause = strerror(errno);
    char text[MESSAGE_MAX];
    va_list arguments;

    if (!log_wants(level)) {
        return;
    }
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (length >= 0 && (size_t)length < sizeof text) {
        snprintf(text + length, sizeof text - (size_t)length, ": %s", cause);
    }
    message(level, event, text);
}
