/* Base64 with the URL alphabet and without padding (RFC 4648 section 5), as in tokens and keys.
 * Decoding is strict: it refuses another alphabet, a length that no encoding has, and unused bits
 * at the end that are not zero. Otherwise one signature would have several spellings. */
#include "base/base64url.h"

#include <stdint.h>

static const char ALPHABET[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void base64url_encode(const unsigned char *bytes, size_t length, char *text)
{
    uint32_t bits = 0;
    unsigned held = 0;

    for (size_t i = 0; i < length; i++) {
        bits = bits << 8 | bytes[i];
        held += 8;
        while (held >= 6) {
            held -= 6;
            *text++ = ALPHABET[bits >> held & 63];
        }
    }
    if (held > 0) {
        *text++ = ALPHABET[bits << (6 - held) & 63];
    }
    *text = '\0';
}

/* The value of a digit, or -1. */
static int digit(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

bool base64url_decode(const char *text, size_t length, unsigned char *bytes, size_t *decoded)
{
    uint32_t bits = 0;
    unsigned held = 0;
    size_t count = 0;

    if (length % 4 == 1) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        int value = digit(text[i]);

        if (value < 0) {
            return false;
        }
        bits = bits << 6 | (uint32_t)value;
        held += 6;
        if (held >= 8) {
            held -= 8;
            bytes[count++] = (unsigned char)(bits >> held);
        }
    }
    *decoded = count;
    return (bits & ((1U << held) - 1)) == 0;
}
