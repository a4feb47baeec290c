/* A growing string of bytes, always followed by a NUL. Start with {0}. */
#ifndef CRUDDUR_BASE_BUF_H
#define CRUDDUR_BASE_BUF_H

#include <stddef.h>
#include <stdint.h>

struct buf {
    char *bytes; /* NULL until something is added */
    size_t length;
    size_t size;
};

void buf_append(struct buf *buf, const char *bytes, size_t length);
void buf_text(struct buf *buf, const char *text);
void buf_char(struct buf *buf, char c);
void buf_integer(struct buf *buf, int64_t value); /* in decimal */
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Appends text as the inside of a JSON string: quotes, backslashes, control characters and DEL
 * escaped, ill-formed UTF-8 as U+FFFD. */
void buf_json_escaped(struct buf *buf, const char *text);

void buf_clear(struct buf *buf); /* keeps the memory */
void buf_release(struct buf *buf);
void buf_wipe(struct buf *buf); /* overwrites the bytes, then releases */

#endif
