#include "http/page.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/base64url.h"
#include "base/ids.h"
#include "http/query.h"
#include "http/request.h"
#include "http/response.h"

enum {
    /* Microseconds since 1970 up to the year 9999 have 18 digits; then '/' and a uuid. */
    KEY_DIGITS_MAX = 18,
    KEY_LENGTH_MAX = KEY_DIGITS_MAX + 1 + UUID_TEXT_SIZE - 1,
    CURSOR_LENGTH_MAX = BASE64URL_TEXT_SIZE(KEY_LENGTH_MAX) - 1
};

static enum status take_limit(const struct request *request, struct page *page)
{
    const char *text;

    if (query_value(request, "limit", &text) != STATUS_OK) {
        return STATUS_LIMIT_INVALID;
    }
    if (text == NULL) {
        page->limit = arena_printf(request->arena, "%d", PAGE_LIMIT_DEFAULT);
        return STATUS_OK;
    }
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 3 || text[digits] != '\0') {
        return STATUS_LIMIT_INVALID;
    }
    long rows = strtol(text, NULL, 10);
    page->limit = text;
    return rows >= 1 && rows <= PAGE_LIMIT_MAX ? STATUS_OK : STATUS_LIMIT_INVALID;
}

static enum status take_key(const struct request *request, const char *cursor, struct page *page)
{
    unsigned char key[BASE64URL_DECODED_MAX(CURSOR_LENGTH_MAX) + 1];
    size_t length = strlen(cursor);

    if (length > CURSOR_LENGTH_MAX || !base64url_decode(cursor, length, key, &length) ||
        memchr(key, '\0', length) != NULL) {
        return STATUS_CURSOR_INVALID;
    }
    const char *text = arena_copy(request->arena, (char *)key, length);
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > KEY_DIGITS_MAX || text[digits] != '/' ||
        !uuid_is_valid(text + digits + 1)) {
        return STATUS_CURSOR_INVALID;
    }
    page->after_us = arena_copy(request->arena, text, digits);
    page->after_uuid = text + digits + 1;
    return STATUS_OK;
}

enum status page_from_query(const struct request *request, struct page *page)
{
    const char *cursor;

    *page = (struct page){0};
    enum status status = take_limit(request, page);
    if (status != STATUS_OK) {
        return status;
    }
    if (query_value(request, "cursor", &cursor) != STATUS_OK) {
        return STATUS_CURSOR_INVALID;
    }
    return cursor == NULL ? STATUS_OK : take_key(request, cursor, page);
}

void page_link_next(struct response *response, const struct request *request, const char *path,
                    const struct page *page, const char *last_key)
{
    if (last_key == NULL) {
        return;
    }
    size_t length = strlen(last_key);
    char *cursor = arena_alloc(request->arena, BASE64URL_TEXT_SIZE(length));
    base64url_encode((const unsigned char *)last_key, length, cursor);
    response_header(response, "Link",
                    arena_printf(request->arena, "<%s?limit=%s&cursor=%s>; rel=\"next\"", path,
                                 page->limit, cursor));
}
