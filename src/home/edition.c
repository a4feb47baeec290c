#include "home/edition.h"

#include <string.h>

#include "base/base64url.h"
#include "base/buf.h"
#include "base/hash.h"
#include "base/ids.h"

enum {
    TAG_LENGTH = ETAG_SIZE - 3, /* without its quotes and NUL */
    UUID_TEXT_LENGTH = UUID_TEXT_SIZE - 1,
    BYTES_MAX = EDITION_POSTS_MAX * EDITION_POST_BYTES
};

/* EDITION_POST_BYTES of the hash of a post's UUID. */
static uint32_t hash_post(const char *bytes, size_t length)
{
    uint64_t hash = hash_add(HASH_START, bytes, length);

    return (uint32_t)((hash ^ hash >> 24 ^ hash >> 48) & 0xffffff);
}

static void add_post(struct edition *edition, const char *object, const char *end)
{
    static const char OPENING[] = "{\"uuid\":\"";
    const size_t opening = sizeof OPENING - 1;

    if (edition->count < EDITION_POSTS_MAX &&
        (size_t)(end - object) >= opening + UUID_TEXT_LENGTH &&
        memcmp(object, OPENING, opening) == 0) {
        edition->posts[edition->count++] = hash_post(object + opening, UUID_TEXT_LENGTH);
    }
}

/* Finds the objects by the brackets of the text. Brackets within strings do not count. */
void edition_take(struct edition *edition, const char *etag, const char *body, size_t length)
{
    const char *end = body + length;
    bool is_in_string = false;
    int depth = 0;

    *edition = (struct edition){0};
    memcpy(edition->etag, etag, sizeof edition->etag);
    for (const char *at = body; at < end; at++) {
        if (*at == '"') {
            is_in_string = !is_in_string;
        } else if (is_in_string) {
            at += *at == '\\';
        } else if (*at == '{' || *at == '[') {
            if (++depth == 2) {
                add_post(edition, at, end);
            }
        } else if (*at == '}' || *at == ']') {
            depth--;
        }
    }
}

void edition_write_id(const struct edition *edition, struct buf *text)
{
    unsigned char bytes[BYTES_MAX];
    char posts[BASE64URL_TEXT_SIZE(BYTES_MAX)];

    for (size_t i = 0; i < edition->count; i++) {
        for (size_t byte = 0; byte < EDITION_POST_BYTES; byte++) {
            bytes[i * EDITION_POST_BYTES + byte] =
                (unsigned char)(edition->posts[i] >> (8 * byte) & 0xff);
        }
    }
    base64url_encode(bytes, edition->count * EDITION_POST_BYTES, posts);
    buf_append(text, edition->etag + 1, TAG_LENGTH);
    buf_char(text, '.');
    buf_text(text, posts);
}

static bool is_tag(const char *text)
{
    return strspn(text, "0123456789abcdef-") == TAG_LENGTH && text[TAG_LENGTH] == '.';
}

bool edition_read_id(struct edition *edition, const char *id)
{
    unsigned char bytes[BASE64URL_DECODED_MAX(BASE64URL_TEXT_SIZE(BYTES_MAX))];
    size_t count;

    *edition = (struct edition){0};
    if (id == NULL || !is_tag(id)) {
        return false;
    }
    const char *posts = id + TAG_LENGTH + 1;
    size_t length = strlen(posts);
    if (length >= BASE64URL_TEXT_SIZE(BYTES_MAX) ||
        !base64url_decode(posts, length, bytes, &count) || count % EDITION_POST_BYTES != 0) {
        return false;
    }
    edition->etag[0] = '"';
    memcpy(edition->etag + 1, id, TAG_LENGTH);
    edition->etag[TAG_LENGTH + 1] = '"';
    edition->count = count / EDITION_POST_BYTES;
    for (size_t i = 0; i < count; i++) {
        edition->posts[i / EDITION_POST_BYTES] |= (uint32_t)bytes[i]
                                                  << (8 * (i % EDITION_POST_BYTES));
    }
    return true;
}

static bool has(const struct edition *edition, uint32_t post)
{
    for (size_t i = 0; i < edition->count; i++) {
        if (edition->posts[i] == post) {
            return true;
        }
    }
    return false;
}

int edition_news(const struct edition *then, const struct edition *now)
{
    bool was_full = then->count == EDITION_POSTS_MAX, is_full = now->count == EDITION_POSTS_MAX;
    size_t end = 0; /* after the last post that may be new */
    int news = 0;

    for (size_t i = 0; i < now->count; i++) {
        end = has(then, now->posts[i]) ? i + 1 : end;
    }
    bool is_told = end > 0 || now->count == 0 || (!was_full && !is_full);
    if (!was_full) {
        end = now->count; /* `then` has all posts of its time: none of the others is older */
    }
    for (size_t i = 0; i < end; i++) {
        news += !has(then, now->posts[i]);
    }
    return is_told ? news : EDITION_UNKNOWN;
}
