/* A cursor that is taken could have been given: written again, it reads the same. */
#include "http/page.h"

#include "base/ids.h"
#include "fuzz.h"
#include "http/request.h"
#include "http/response.h"

static void must_come_back(struct request *request, const struct page *page)
{
    struct response response = {0};
    struct page again;

    const char *key =
        arena_printf(request->arena, "%s/%s%s%s", page->after_us, page->after_uuid,
                     page->view != NULL ? "/" : "", page->view != NULL ? page->view : "");
    page_link_next(&response, request, "/list", page, key);
    char *link = arena_copy(request->arena, response.headers.bytes, response.headers.length);
    char *query = strchr(link, '?');
    MUST(query != NULL);
    *strchr(query, '>') = '\0';
    request->query = query + 1;
    MUST(page_from_query(request, PAGE_LIMIT_DEFAULT, &again) == STATUS_OK);
    MUST(strcmp(again.limit, page->limit) == 0);
    MUST(strcmp(again.after_us, page->after_us) == 0);
    MUST(strcmp(again.after_uuid, page->after_uuid) == 0);
    MUST(page->view == NULL ? again.view == NULL : strcmp(again.view, page->view) == 0);
    MUST(page->since == NULL ? again.since == NULL : strcmp(again.since, page->since) == 0);
    response_release(&response);
}

FUZZ_TARGET(page)
{
    struct arena arena = {0};
    struct request request = {.arena = &arena};
    struct page page;

    request.query = arena_copy(&arena, (const char *)data, size);
    if (page_from_query(&request, PAGE_LIMIT_DEFAULT, &page) == STATUS_OK) {
        long limit = strtol(page.limit, NULL, 10);

        MUST(limit >= 1 && limit <= PAGE_LIMIT_MAX);
        MUST((page.after_us == NULL) == (page.after_uuid == NULL));
        MUST((page.since_us == NULL) == (page.since_uuid == NULL));
        MUST(page.since_us == NULL || uuid_is_valid(page.since_uuid));
        MUST((page.since == NULL) == (page.since_text == NULL));
        if (page.after_us != NULL) {
            MUST(strspn(page.after_us, "0123456789") == strlen(page.after_us));
            MUST(uuid_is_valid(page.after_uuid));
            must_come_back(&request, &page);
        }
    }
    arena_release(&arena);
    return 0;
}
