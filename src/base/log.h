/* The log: one line per event on stderr, each written whole with one write. JSON, or coloured
 * text on a terminal. Text is escaped; values that a client sent are not logged, except a
 * well-formed request id and, with --log-params, the parameters of statements. */
#ifndef CRUDDUR_BASE_LOG_H
#define CRUDDUR_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG, LOG_LEVEL_COUNT };
enum log_format { LOG_FORMAT_AUTO, LOG_FORMAT_TEXT, LOG_FORMAT_JSON, LOG_FORMAT_COUNT };

void log_setup(enum log_level level, enum log_format format);

bool log_wants(enum log_level level);

/* A line put together field by field. Between log_begin and log_end nothing else may log. */
struct log_line {
    struct buf *text;
};

/* event is the kind of line, a constant such as "request". */
struct log_line log_begin(enum log_level level, const char *event);
void log_string(struct log_line *line, const char *key, const char *value); /* NULL: left out */
void log_integer(struct log_line *line, const char *key, int64_t value);
void log_milliseconds(struct log_line *line, const char *key, int64_t microseconds);
void log_end(struct log_line *line);

/* A whole line with a "message" field. */
void log_message(enum log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same with ": " and the text of errno at its end. */
void log_errno(enum log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
