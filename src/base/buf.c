/* A text that grows. It is always NUL-terminated once something was added. size is FIRST_SIZE times
 * a power of two, so that many small additions cost linear time. Growth ends the process if there
 * is no memory (see memory.h), so no caller has to check. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"

enum { FIRST_SIZE = 256 };

/* Makes room for so many bytes more, and for the NUL. */
static void reserve(struct buf *buf, size_t more)
{
    size_t needed = buf->length + more + 1;

    if (needed <= buf->size) {
        return;
    }
    size_t size = buf->size > 0 ? buf->size : FIRST_SIZE;
    while (size < needed) {
        size *= 2;
    }
    buf->bytes = memory_resize(buf->bytes, size);
    buf->size = size;
}

void buf_append(struct buf *buf, const char *bytes, size_t length)
{
    reserve(buf, length);
    memcpy(buf->bytes + buf->length, bytes, length);
    buf->length += length;
    buf->bytes[buf->length] = '\0';
}

void buf_text(struct buf *buf, const char *text)
{
    buf_append(buf, text, strlen(text));
}

void buf_char(struct buf *buf, char c)
{
    buf_append(buf, &c, 1);
}

/* Usually the text fits at the first try, and is formatted only once. */
void buf_printf(struct buf *buf, const char *format, ...)
{
    va_list arguments, again;

    va_start(arguments, format);
    va_copy(again, arguments);
    reserve(buf, 0);
    size_t room = buf->size - buf->length;
    int length = vsnprintf(buf->bytes + buf->length, room, format, arguments);
    va_end(arguments);
    if (length >= 0 && (size_t)length >= room) {
        reserve(buf, (size_t)length);
        vsnprintf(buf->bytes + buf->length, (size_t)length + 1, format, again);
    }
    va_end(again);
    buf->length += length > 0 ? (size_t)length : 0;
}

/* Does without printf, because the log and the head of each response have several numbers. */
void buf_integer(struct buf *buf, int64_t value)
{
    char digits[24];
    char *at = digits + sizeof digits;
    uint64_t left = value < 0 ? -(uint64_t)value : (uint64_t)value;

    do {
        *--at = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    if (value < 0) {
        *--at = '-';
    }
    buf_append(buf, at, (size_t)(digits + sizeof digits - at));
}

static void json_escaped_ascii(struct buf *buf, char c)
{
    if (c == '"' || c == '\\') {
        buf_char(buf, '\\');
        buf_char(buf, c);
    } else if ((unsigned char)c < 0x20 || c == 0x7f) {
        buf_printf(buf, "\\u%04x", (unsigned)c);
    } else {
        buf_char(buf, c);
    }
}

/* The length of the printable ASCII at the start of text that needs no escape. */
static size_t plain_length(const char *text)
{
    size_t length = 0;

    while (text[length] >= 0x20 && text[length] < 0x7f && text[length] != '"' &&
           text[length] != '\\') {
        length++;
    }
    return length;
}

void buf_json_escaped(struct buf *buf, const char *text)
{
    size_t left = strlen(text);

    while (left > 0) {
        size_t length = plain_length(text);

        if (length > 0) {
            buf_append(buf, text, length);
            text += length;
            left -= length;
            continue;
        }
        length = utf8_sequence(text, left);
        if (length == 0) {
            buf_text(buf, "\\ufffd");
            length = 1;
        } else if (length == 1) {
            json_escaped_ascii(buf, *text);
        } else {
            buf_append(buf, text, length);
        }
        text += length;
        left -= length;
    }
}

void buf_clear(struct buf *buf)
{
    buf->length = 0;
    if (buf->bytes != NULL) {
        buf->bytes[0] = '\0';
    }
}

void buf_release(struct buf *buf)
{
    memory_free(buf->bytes);
    *buf = (struct buf){0};
}

void buf_wipe(struct buf *buf)
{
    if (buf->bytes != NULL) {
        explicit_bzero(buf->bytes, buf->size);
    }
    buf_release(buf);
}
