#include "base/utf8.h"

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
