/* One page of a list: how many rows, and behind which row it starts (keyset, so that every page
 * costs the same). The cursor a client sees is opaque: base64url of the last row's key. */
#ifndef CRUDDUR_HTTP_PAGE_H
#define CRUDDUR_HTTP_PAGE_H

#include "base/status.h"

struct request;
struct response;

enum { PAGE_LIMIT_DEFAULT = 50, PAGE_LIMIT_MAX = 200 /* rows */ };

/* All as text in request memory, ready to be statement parameters. */
struct page {
    const char *limit;
    const char *after_us; /* created_at of the row before this page, microseconds since 1970; NULL:
                             the first page */
    const char *after_uuid; /* the uuid of that row; NULL likewise */
    const char *view;       /* the first page's snapshot, for a list whose cursor has it; or NULL */
    /* The decoded ?since=: the key of an earlier answer's newest row, or that answer's snapshot;
     * NULL: not given. */
    const char *since;
    const char *since_us; /* the parts of the key; NULL: since is a snapshot */
    const char *since_uuid;
    const char *since_text; /* ?since= as it was given */
    const char *filter; /* parameters for the link to the next page, "&order=newest"; NULL: none */
};

/* Fills *page from ?limit=, ?cursor= and ?since=. rows: the limit if ?limit= is missing.
 * STATUS_LIMIT_INVALID: not 1 to PAGE_LIMIT_MAX; STATUS_CURSOR_INVALID: not a cursor that we
 * gave. */
enum status page_from_query(const struct request *request, int rows, struct page *page);

/* Adds `Cruddur-Since: …`, the value of ?since= with which a client asks for the rows that became visible
 * after this answer. seen is the statement's column of that name; NULL: no header. Only the first page has
 * the header. */
void page_tell_seen(struct response *response, const struct request *request,
                    const struct page *page, const char *seen);

/* Adds `Link: <…>; rel="next"` (RFC 8288). pattern is the list's pattern, as in router_add();
 * last_key is the key of this page's last row as the statement gave it ("<microseconds>/<uuid>");
 * NULL: there is no next page. */
void page_link_next(struct response *response, const struct request *request, const char *pattern,
                    const struct page *page, const char *last_key);

#endif
