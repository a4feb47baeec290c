/* A line is built in one static buffer and written with one call, so lines of several processes
 * do not mix. The log must not stop the service: if standard error is a pipe or socket whose
 * reader is slow, the line is dropped and counted, and the next line that is written says how
 * many were lost. Values are escaped as JSON in both formats, because some come from requests.
 *
 * The process id is cached. Every line has it, and without the cache the system call would be the
 * only one of some lines; a fork clears the cache. */
#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
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

/* The state of the process's log. log_setup is called before the first line, and again in a forked
 * child whose settings differ. */
static enum log_level threshold = LOG_INFO;
static bool as_text;
static struct buf current;
static bool is_torn;    /* the last line was cut, and could not be taken back */
static int64_t dropped; /* lines that the log did not take */
static pid_t own_pid;   /* 0: not known yet */
static enum { SINK_UNKNOWN, SINK_FILE, SINK_SOCKET, SINK_OTHER } sink; /* what stderr is */

static void forget_pid(void)
{
    own_pid = 0;
}

void log_setup(enum log_level level, enum log_format format)
{
    threshold = level;
    as_text = format == LOG_FORMAT_TEXT || (format == LOG_FORMAT_AUTO && isatty(STDERR_FILENO));
    sink = SINK_UNKNOWN;
}

bool log_wants(enum log_level level)
{
    return level <= threshold;
}

/* The id is cached only if pthread_atfork succeeds; otherwise a forked process would log its
 * parent's. */
static pid_t pid(void)
{
    static bool is_watching;

    if (own_pid == 0) {
        is_watching = is_watching || pthread_atfork(NULL, NULL, forget_pid) == 0;
        own_pid = is_watching ? getpid() : 0;
    }
    return own_pid != 0 ? own_pid : getpid();
}

/* The line starts with a line break if the last one was cut, so that at most one line is lost to
 * a reader of JSON. */
struct log_line log_begin(enum log_level level, const char *event)
{
    char now[CLOCK_TEXT_SIZE];

    clock_text(now);
    buf_clear(&current);
    if (is_torn) {
        buf_char(&current, '\n');
    }
    if (as_text) {
        buf_printf(&current, "%s %s%-7s\033[0m %s", now, LEVELS[level].colour, LEVELS[level].name,
                   event);
    } else {
        buf_text(&current, "{\"time\":\"");
        buf_text(&current, now);
        buf_text(&current, "\",\"level\":\"");
        buf_text(&current, LEVELS[level].name);
        buf_text(&current, "\",\"event\":\"");
        buf_text(&current, event);
        buf_char(&current, '"');
    }
    struct log_line line = {&current};
    log_integer(&line, "pid", pid());
    if (dropped > 0) {
        log_integer(&line, "dropped", dropped);
    }
    return line;
}

/* Keys are constants of ours and need no escapes. */
static void begin_value(struct log_line *line, const char *key)
{
    buf_text(line->text, as_text ? " " : ",\"");
    buf_text(line->text, key);
    buf_text(line->text, as_text ? "=" : "\":");
}

/* The text format has quotes only where a value needs them, for readers. NULL leaves the key out,
 * in both formats. */
void log_string(struct log_line *line, const char *key, const char *value)
{
    if (value == NULL) {
        return;
    }
    if (as_text) {
        bool quoted = strpbrk(value, " \"=") != NULL || *value == '\0';

        begin_value(line, key);
        buf_text(line->text, quoted ? "\"" : "");
        buf_json_escaped(line->text, value);
        buf_text(line->text, quoted ? "\"" : "");
    } else {
        begin_value(line, key);
        buf_char(line->text, '"');
        buf_json_escaped(line->text, value);
        buf_char(line->text, '"');
    }
}

void log_integer(struct log_line *line, const char *key, int64_t value)
{
    begin_value(line, key);
    buf_integer(line->text, value);
}

/* With three digits behind the point, whatever the locale. */
void log_milliseconds(struct log_line *line, const char *key, int64_t microseconds)
{
    int64_t rest = microseconds % 1000;

    begin_value(line, key);
    buf_integer(line->text, microseconds / 1000);
    buf_char(line->text, '.');
    buf_char(line->text, (char)('0' + rest / 100));
    buf_char(line->text, (char)('0' + rest / 10 % 10));
    buf_char(line->text, (char)('0' + rest % 10));
}

/* The kind of standard error decides how to write without blocking: a file never blocks, a socket
 * has MSG_DONTWAIT, and a pipe is polled first, as O_NONBLOCK would change it for every process
 * that shares it. */
static void detect_sink(void)
{
    struct stat about;

    sink = SINK_OTHER;
    if (fstat(STDERR_FILENO, &about) == 0) {
        sink = S_ISREG(about.st_mode)    ? SINK_FILE
               : S_ISSOCK(about.st_mode) ? SINK_SOCKET
                                         : SINK_OTHER;
    }
}

/* Removes the part that was written of a line for which the disk had no room, unless another
 * process has written behind it. */
static bool take_back(ssize_t written)
{
    struct stat about;
    off_t end = lseek(STDERR_FILENO, 0, SEEK_CUR);

    return end >= 0 && fstat(STDERR_FILENO, &about) == 0 && about.st_size == end &&
           ftruncate(STDERR_FILENO, end - written) == 0 &&
           lseek(STDERR_FILENO, -written, SEEK_CUR) >= 0;
}

/* A full disk, or a full buffer of a socket, may take only a part of a line. */
static bool is_written(ssize_t written, size_t length)
{
    if (written > 0 && (size_t)written < length) {
        is_torn = sink != SINK_FILE || !take_back(written);
        return false;
    }
    return written >= 0;
}

/* A log without a reader must not stop the service: with a full pipe lines are dropped and
 * counted. */
static bool write_line(const char *bytes, size_t length)
{
    struct pollfd reader = {.fd = STDERR_FILENO, .events = POLLOUT};

    if (sink == SINK_UNKNOWN) {
        detect_sink();
    }
    switch (sink) {
    case SINK_FILE:
        return is_written(write(STDERR_FILENO, bytes, length), length);
    case SINK_SOCKET:
        return is_written(send(STDERR_FILENO, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL), length);
    default:
        return poll(&reader, 1, 0) > 0 && is_written(write(STDERR_FILENO, bytes, length), length);
    }
}

/* A line that was not written counts as dropped, and the next one says how many were. */
void log_end(struct log_line *line)
{
    buf_text(line->text, as_text ? "\n" : "}\n");
    if (write_line(line->text->bytes, line->text->length)) {
        dropped = 0;
        is_torn = false;
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
