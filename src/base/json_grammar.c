/* A recursive descent over RFC 8259 that builds nothing. Each function takes one production at
 * scan->at and returns whether it was there; after false the position is undefined.
 * depth_left bounds the recursion, and so the stack. Member counts include nested objects. */
#include "base/json_grammar.h"

#include <stdint.h>
#include <string.h>

#include "base/hex.h"

/* The position in the text, the levels that are left, and the members so far. */
struct scan {
    const char *at;
    const char *end;
    unsigned depth_left;
    size_t members;
};

static bool value(struct scan *scan);

static bool next_is(const struct scan *scan, char c)
{
    return scan->at < scan->end && *scan->at == c;
}

static bool accept(struct scan *scan, char c)
{
    bool there = next_is(scan, c);

    scan->at += there;
    return there;
}

static void skip_space(struct scan *scan)
{
    while (scan->at < scan->end && memchr(" \t\r\n", *scan->at, 4) != NULL) {
        scan->at++;
    }
}

/* true, false or null. */
static bool literal(struct scan *scan, const char *text)
{
    size_t length = strlen(text);

    if ((size_t)(scan->end - scan->at) < length || memcmp(scan->at, text, length) != 0) {
        return false;
    }
    scan->at += length;
    return true;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool digits(struct scan *scan)
{
    const char *start = scan->at;

    while (scan->at < scan->end && is_digit(*scan->at)) {
        scan->at++;
    }
    return scan->at > start;
}

/* No leading zeros, no leading plus, digits on both sides of a point. */
static bool number(struct scan *scan)
{
    accept(scan, '-');
    if (!accept(scan, '0') && !digits(scan)) {
        return false;
    }
    if (accept(scan, '.') && !digits(scan)) {
        return false;
    }
    if (accept(scan, 'e') || accept(scan, 'E')) {
        if (!accept(scan, '+')) {
            accept(scan, '-');
        }
        return digits(scan);
    }
    return true;
}

/* The unit of a \u escape; surrogates are paired by the caller. */
static bool four_hex(struct scan *scan, uint32_t *unit)
{
    *unit = 0;
    for (int i = 0; i < 4; i++, scan->at++) {
        int digit = scan->at < scan->end ? hex_value(*scan->at) : -1;

        if (digit < 0) {
            return false;
        }
        *unit = *unit << 4 | (uint32_t)digit;
    }
    return true;
}

/* Behind "\u": one code point, a surrogate only as a pair. */
static bool unicode_escape(struct scan *scan)
{
    uint32_t unit, low;

    if (!four_hex(scan, &unit) || unit == 0) {
        return false;
    }
    if (unit >= 0xd800 && unit <= 0xdbff) {
        return literal(scan, "\\u") && four_hex(scan, &low) && low >= 0xdc00 && low <= 0xdfff;
    }
    return unit < 0xdc00 || unit > 0xdfff;
}

static bool escape(struct scan *scan)
{
    if (accept(scan, 'u')) {
        return unicode_escape(scan);
    }
    if (scan->at == scan->end || memchr("\"\\/bfnrt", *scan->at, 8) == NULL) {
        return false;
    }
    scan->at++;
    return true;
}

/* Bytes below 0x20 are refused; UTF-8 was checked before. */
static bool string(struct scan *scan)
{
    if (!accept(scan, '"')) {
        return false;
    }
    while (scan->at < scan->end) {
        char c = *scan->at++;

        if (c == '"') {
            return true;
        }
        if ((unsigned char)c < 0x20 || (c == '\\' && !escape(scan))) {
            return false;
        }
    }
    return false;
}

static bool member(struct scan *scan)
{
    scan->members++;
    skip_space(scan);
    if (!string(scan)) {
        return false;
    }
    skip_space(scan);
    return accept(scan, ':') && value(scan);
}

/* Behind the opening bracket: items up to the closing one. */
static bool items(struct scan *scan, bool (*item)(struct scan *), char closing)
{
    skip_space(scan);
    if (accept(scan, closing)) {
        return true;
    }
    do {
        if (!item(scan)) {
            return false;
        }
    } while (accept(scan, ','));
    return accept(scan, closing);
}

/* An object or array, if a further level is allowed. */
static bool container(struct scan *scan)
{
    bool is_object = *scan->at++ == '{';

    if (scan->depth_left == 0) {
        return false;
    }
    scan->depth_left--;
    bool good = is_object ? items(scan, member, '}') : items(scan, value, ']');
    scan->depth_left++;
    return good;
}

/* One value and the space around it. */
static bool value(struct scan *scan)
{
    bool good;

    skip_space(scan);
    if (next_is(scan, '{') || next_is(scan, '[')) {
        good = container(scan);
    } else if (next_is(scan, '"')) {
        good = string(scan);
    } else {
        good = literal(scan, "true") || literal(scan, "false") || literal(scan, "null") ||
               number(scan);
    }
    skip_space(scan);
    return good;
}

/* White space around the value is part of the text; anything else behind it is an error. */
bool json_grammar(const char *text, size_t length, unsigned depth_max, size_t *members)
{
    struct scan scan = {.at = text, .end = text + length, .depth_left = depth_max};
    bool good = value(&scan) && scan.at == scan.end;

    *members = scan.members;
    return good;
}
