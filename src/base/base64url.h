/* Base64url without padding (RFC 4648 section 5), strict: decodes only what the encoding can
 * produce. */
#ifndef CRUDDUR_BASE_BASE64URL_H
#define CRUDDUR_BASE_BASE64URL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/* Bytes that the text of length encoded bytes decodes to, at most. */
#define BASE64URL_DECODED_MAX(encoded) ((encoded) / 4 * 3 + 2)
/* Size of the text for length bytes, its NUL included. */
#define BASE64URL_TEXT_SIZE(length) (((length) + 2) / 3 * 4 + 1)

void base64url_encode(const unsigned char *bytes, size_t length, char *text);

/* False for other characters, padding, a length that no encoding has, or unused bits at the end
 * that are not zero. bytes has room for BASE64URL_DECODED_MAX(length). */
MUST_CHECK bool base64url_decode(const char *text, size_t length, unsigned char *bytes,
                                 size_t *decoded);

#endif
