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
#include "http/router.h"

enum {
    /* Microseconds since 1970 up to the year 9999 have 18 digits; then '/' and a uuid. */
    KEY_DIGITS_MAX = 18,
    KEY_LENGTH_MAX = KEY_DIGITS_MAX + 1 + UUID_TEXT_SIZE - 1,
    VIEW_LENGTH_MAX = 500, /* current_view in sql/schema.sql returns less */
    CURSOR_LENGTH_MAX = BASE64URL_TEXT_SIZE(KEY_LENGTH_MAX + 1 + VIEW_LENGTH_MAX) - 1
};

static enum status take_limit(const struct request *request, int rows_default, struct page *page)
{
    const char *text;

    if (query_value(request, "limit", &text) != STATUS_OK) {
        return STATUS_LIMIT_INVALID;
    }
    if (text == NULL) {
        page->limit = arena_printf(request->arena, "%d", rows_default);
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

/* Decodes a cursor into request memory; NULL: it is not base64url, or too long. */
static const char *decode_cursor(const struct request *request, const char *cursor)
{
    unsigned char text[BASE64URL_DECODED_MAX(CURSOR_LENGTH_MAX) + 1];
    size_t length = strlen(cursor);

    if (length > CURSOR_LENGTH_MAX || !base64url_decode(cursor, length, text, &length) ||
        memchr(text, '\0', length) != NULL) {
        return NULL;
    }
    return arena_copy(request->arena, (char *)text, length);
}

/* Whether the text is a number, '/' and a pg_snapshot, as of current_view in sql/schema.sql. PostgreSQL checks the rest. */
static bool is_view(const char *text)
{
    size_t number = strspn(text, "0123456789");

    return number > 0 && text[number] == '/' && strlen(text) <= VIEW_LENGTH_MAX &&
           text[number + 1 + strspn(text + number + 1, "0123456789:,")] == '\0';
}

/* Reads "<number>/<uuid>" and returns the text behind it; NULL: the text does not start with one. */
static const char *take_key(const struct request *request, const char *text, const char **number,
                            const char **uuid)
{
    size_t digits = strspn(text, "0123456789");

    if (digits == 0 || digits > KEY_DIGITS_MAX || text[digits] != '/' ||
        strlen(text) < digits + UUID_TEXT_SIZE) {
        return NULL;
    }
    *number = arena_copy(request->arena, text, digits);
    *uuid = arena_copy(request->arena, text + digits + 1, UUID_TEXT_SIZE - 1);
    return uuid_is_valid(*uuid) ? text + digits + UUID_TEXT_SIZE : NULL;
}

static enum status take_cursor(const struct request *request, const char *cursor, struct page *page)
{
    const char *text = decode_cursor(request, cursor);
    const char *rest =
        text != NULL ? take_key(request, text, &page->after_us, &page->after_uuid) : NULL;

    if (rest == NULL || (*rest != '\0' && (*rest != '/' || !is_view(rest + 1)))) {
        return STATUS_CURSOR_INVALID;
    }
    page->view = *rest != '\0' ? rest + 1 : NULL;
    return STATUS_OK;
}

static enum status take_since(const struct request *request, const char *since, struct page *page)
{
    const char *text = decode_cursor(request, since);

    if (text == NULL) {
        return STATUS_CURSOR_INVALID;
    }
    const char *rest = take_key(request, text, &page->since_us, &page->since_uuid);
    if (rest == NULL || *rest != '\0') {
        page->since_us = page->since_uuid = NULL;
        if (!is_view(text)) {
            return STATUS_CURSOR_INVALID;
        }
    }
    page->since = text;
    page->since_text = since;
    return STATUS_OK;
}

enum status page_from_query(const struct request *request, int rows, struct page *page)
{
    const char *cursor, *since;

    *page = (struct page){0};
    enum status status = take_limit(request, rows, page);
    if (status != STATUS_OK) {
        return status;
    }
    if (query_value(request, "cursor", &cursor) != STATUS_OK ||
        query_value(request, "since", &since) != STATUS_OK) {
        return STATUS_CURSOR_INVALID;
    }
    if (cursor != NULL) {
        status = take_cursor(request, cursor, page);
    }
    return status == STATUS_OK && since != NULL ? take_since(request, since, page) : status;
}

static const char *encode(const struct request *request, const char *text)
{
    size_t length = strlen(text);
    char *encoded = arena_alloc(request->arena, BASE64URL_TEXT_SIZE(length));

    base64url_encode((const unsigned char *)text, length, encoded);
    return encoded;
}

void page_tell_seen(struct response *response, const struct request *request,
                    const struct page *page, const char *seen)
{
    if (seen != NULL && page->after_us == NULL && strlen(seen) <= VIEW_LENGTH_MAX) {
        response_header(response, "Cruddur-Since", encode(request, seen));
    }
}

void page_link_next(struct response *response, const struct request *request, const char *pattern,
                    const struct page *page, const char *last_key)
{
    if (last_key == NULL) {
        return;
    }
    const char *path = router_path(request, pattern);
    const char *since =
        page->since_text != NULL ? arena_printf(request->arena, "&since=%s", page->since_text) : "";
    response_header(response, "Link",
                    arena_printf(request->arena, "<%s?limit=%s%s%s&cursor=%s>; rel=\"next\"", path,
                                 page->limit, page->filter != NULL ? page->filter : "", since,
                                 encode(request, last_key)));
}
