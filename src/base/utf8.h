/* UTF-8 as RFC 3629 defines it: no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef CRUDDUR_BASE_UTF8_H
#define CRUDDUR_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Length in bytes (1–4) of the well-formed sequence at the start of bytes, or 0. */
size_t utf8_sequence(const char *bytes, size_t available);

bool utf8_valid(const char *bytes, size_t length);

/* Number of code points in well-formed text. */
size_t utf8_code_points(const char *text);

/* Whether well-formed text has no visible character: it is empty, or consists of White_Space,
 * controls, default ignorable code points and the empty Braille pattern, as is_blank in
 * sql/schema.sql has it. */
bool utf8_is_blank(const char *text);

/* Whether well-formed text has a control, a line or paragraph separator, or one of the
 * embeddings, overrides and isolates of UAX #9, which change the order of the text behind them. */
bool utf8_has_control(const char *text);

#endif
