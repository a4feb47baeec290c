/* Identifiers from outside are checked before they go into a header, a log or a statement; the
 * checks are the grammars of UUIDs, of our request ids, and of W3C's traceparent (version 00). A
 * derived UUID is version 5 in a name space of ours: the same key of the same author always gives
 * the same row, whichever process answers. */
#include "base/ids.h"

#include <stddef.h>
#include <string.h>
#include <uuid/uuid.h>

void uuid_make(char text[static UUID_TEXT_SIZE])
{
    uuid_t id;

    uuid_generate_random(id);
    uuid_unparse_lower(id, text);
}

void uuid_derive(const char *text, char uuid[static UUID_TEXT_SIZE])
{
    /* A name space of ours: version 5 UUIDs of other programs cannot be equal to these. */
    static const uuid_t space = {0x6d, 0x1f, 0x0c, 0x55, 0x3a, 0x9e, 0x4b, 0x62,
                                 0x9c, 0x07, 0xe4, 0x81, 0x2b, 0xd0, 0x57, 0xaf};
    uuid_t id;

    uuid_generate_sha1(id, space, text, strlen(text));
    uuid_unparse_lower(id, uuid);
}

bool uuid_is_valid(const char *text)
{
    uuid_t id;

    /* uuid_parse of older libuuid takes the first 36 characters of longer text. */
    return strlen(text) == UUID_TEXT_SIZE - 1 && uuid_parse(text, id) == 0;
}

/* Allows the characters that may stand in a header, a log line and a file name without quotes. */
bool request_id_is_valid(const char *text)
{
    size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "0123456789._-");

    return length > 0 && length <= REQUEST_ID_MAX && text[length] == '\0';
}

/* Whether text starts with exactly count lower-case hex digits, not all zero unless allowed. */
static bool hex_run(const char *text, size_t count, bool zero_allowed)
{
    return strspn(text, "0123456789abcdef") == count && (zero_allowed || strspn(text, "0") < count);
}

bool traceparent_is_valid(const char *text)
{
    return strlen(text) == TRACEPARENT_LENGTH && strncmp(text, "00-", 3) == 0 &&
           hex_run(text + 3, 32, false) && text[35] == '-' && hex_run(text + 36, 16, false) &&
           text[52] == '-' && hex_run(text + 53, 2, true);
}
