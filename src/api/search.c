#include "api/search.h"

#include <stddef.h>

#include "api/rules.h"
#include "http/query.h"

enum decision search_trends(struct call *call, struct response *response,
                            struct statement *statement)
{
    (void)call;
    (void)response;
    *statement = statement_of(STATEMENT_ACTIVITIES_TRENDS);
    return DECISION_ASK;
}

enum decision search_activities(struct call *call, struct response *response,
                                struct statement *statement)
{
    struct broken broken = {0};
    const char *term;

    if (query_text(call->request, "term", &term) != STATUS_OK) {
        broken_add(&broken, STATUS_MALFORMED_REQUEST);
    } else {
        rule_search_term(term, &broken);
    }
    if (call->page.after_us != NULL) {
        broken_add(&broken, STATUS_CURSOR_INVALID); /* there is one page */
    }
    if (broken.count > 0) {
        return endpoint_refuse(call, &broken, response);
    }
    *statement = statement_of(STATEMENT_ACTIVITIES_SEARCH);
    statement_bind(statement, "limit", call->page.limit);
    statement_bind(statement, "term", term);
    return DECISION_ASK;
}
