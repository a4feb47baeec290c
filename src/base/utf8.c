/* Validation by the table of RFC 3629, so overlong forms and surrogates are no UTF-8. The lists
 * of blank and control characters are the same as those in sql/schema.sql, since PostgreSQL
 * checks the same rules by constraints; a test compares them. */
#include "base/utf8.h"

#include <stdint.h>

/* The well-formed byte sequences of RFC 3629 section 4, by the range of the first byte. */
static const struct {
    unsigned char first_low, first_high;
    unsigned char second_low, second_high;
    unsigned char length;
} SEQUENCES[] = {
    {0x00, 0x7f, 0x00, 0x00, 1}, {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
    {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
    {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
};

static bool is_continuation(unsigned char byte)
{
    return (byte & 0xc0) == 0x80;
}

/* The ranges of the second byte exclude overlong forms, surrogates, and code points beyond
 * U+10FFFF. */
size_t utf8_sequence(const char *bytes, size_t available)
{
    const unsigned char *b = (const unsigned char *)bytes;

    if (available == 0) {
        return 0;
    }
    for (size_t i = 0; i < sizeof SEQUENCES / sizeof SEQUENCES[0]; i++) {
        if (b[0] < SEQUENCES[i].first_low || b[0] > SEQUENCES[i].first_high) {
            continue;
        }
        size_t length = SEQUENCES[i].length;
        if (length == 1) {
            return 1;
        }
        if (length > available || b[1] < SEQUENCES[i].second_low ||
            b[1] > SEQUENCES[i].second_high) {
            return 0;
        }
        for (size_t k = 2; k < length; k++) {
            if (!is_continuation(b[k])) {
                return 0;
            }
        }
        return length;
    }
    return 0;
}

bool utf8_valid(const char *bytes, size_t length)
{
    size_t at = 0;

    while (at < length) {
        size_t step = utf8_sequence(bytes + at, length - at);

        if (step == 0) {
            return false;
        }
        at += step;
    }
    return true;
}

size_t utf8_code_points(const char *text)
{
    size_t count = 0;

    for (; *text != '\0'; text++) {
        if (!is_continuation((unsigned char)*text)) {
            count++;
        }
    }
    return count;
}

struct range {
    uint32_t first, last;
};

/* White_Space, controls, Default_Ignorable_Code_Point and U+2800, in ascending order, as
 * blank_characters and invisible_characters in sql/schema.sql; tests/http/test_texts.py compares
 * them. */
static const struct range BLANKS[] = {
    {0x1, 0x20},        {0x7f, 0xa0},      {0xad, 0xad},     {0x34f, 0x34f},   {0x61c, 0x61c},
    {0x115f, 0x1160},   {0x1680, 0x1680},  {0x17b4, 0x17b5}, {0x180b, 0x180f}, {0x2000, 0x200f},
    {0x2028, 0x202f},   {0x205f, 0x206f},  {0x2800, 0x2800}, {0x3000, 0x3000}, {0x3164, 0x3164},
    {0xfe00, 0xfe0f},   {0xfeff, 0xfeff},  {0xffa0, 0xffa0}, {0xfff0, 0xfff8}, {0x1bca0, 0x1bca3},
    {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff}};

static const struct range CONTROLS[] = {
    {0x1, 0x1f}, {0x7f, 0x9f}, {0x2028, 0x202e}, {0x2066, 0x2069}};

/* Returns the first code point of *text, which is not empty, and moves *text behind it. */
static uint32_t take_code_point(const char **text)
{
    static const unsigned char LEAD_BITS[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    const unsigned char *b = (const unsigned char *)*text;
    size_t length = *b < 0x80 ? 1 : *b < 0xe0 ? 2 : *b < 0xf0 ? 3 : 4;
    uint32_t code_point = b[0] & LEAD_BITS[length];

    for (size_t i = 1; i < length; i++) {
        code_point = code_point << 6 | (b[i] & 0x3f);
    }
    *text += length;
    return code_point;
}

/* The ranges are in ascending order. */
static bool is_in(const struct range *ranges, size_t count, uint32_t code_point)
{
    for (size_t i = 0; i < count; i++) {
        if (code_point <= ranges[i].last) {
            return code_point >= ranges[i].first;
        }
    }
    return false;
}

bool utf8_is_blank(const char *text)
{
    while (*text != '\0') {
        if (!is_in(BLANKS, sizeof BLANKS / sizeof BLANKS[0], take_code_point(&text))) {
            return false;
        }
    }
    return true;
}

bool utf8_has_control(const char *text)
{
    while (*text != '\0') {
        if (is_in(CONTROLS, sizeof CONTROLS / sizeof CONTROLS[0], take_code_point(&text))) {
            return true;
        }
    }
    return false;
}
