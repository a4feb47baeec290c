/* Turns a statement's result into a response. The order of the checks matters: a value that
 * PostgreSQL refused comes before the other errors, as a route may have a code of its own for it;
 * then errors of the database; then the missing row; then the outcome word.
 *
 * A word that the route's row does not list is answered with 500 and logged as a bug. The list is
 * therefore the contract of a statement, and the tests compare it with the OpenAPI document. */
#include "api/endpoint.h"

#include <stddef.h>
#include <string.h>

#include "api/problem.h"
#include "api/status.h"
#include "base/log.h"

enum status endpoint_missing(const struct endpoint *endpoint)
{
    return endpoint->missing != STATUS_OK ? endpoint->missing : STATUS_INTERNAL;
}

/* The reason for an error, or STATUS_OK with a body to send. */
static enum status status_of(const struct endpoint *endpoint, const struct result *result)
{
    if (result->status == STATUS_VALUE_REFUSED && endpoint->refused != STATUS_OK) {
        return endpoint->refused;
    }
    if (result->status != STATUS_OK) {
        return result->status;
    }
    if (result->outcome == NULL) {
        return endpoint_missing(endpoint);
    }
    enum status said = status_from_code(result->outcome);
    if (said == STATUS_OK) {
        return result->body != NULL ? STATUS_OK : STATUS_INTERNAL;
    }
    for (size_t i = 0; i < ENDPOINT_OUTCOMES_MAX; i++) {
        if (endpoint->outcomes[i] == said) {
            return said;
        }
    }
    log_message(LOG_ERROR, "bug", "%s %s has no outcome of that name",
                method_name(endpoint->method), endpoint->pattern);
    return STATUS_INTERNAL;
}

void endpoint_bind_page(struct statement *statement, const struct page *page)
{
    statement_bind(statement, "limit", page->limit);
    statement_bind(statement, "after_us", page->after_us);
    statement_bind(statement, "after_uuid", page->after_uuid);
}

void endpoint_bind_since(struct statement *statement, const struct page *page)
{
    statement_bind(statement, "since_us", page->since_us);
    statement_bind(statement, "since_uuid", page->since_uuid);
}

/* The two kinds of values look different, so a value of another list is noticed. */
enum status endpoint_check_since(const struct endpoint *endpoint, const struct page *page)
{
    if (page->since == NULL) {
        return STATUS_OK;
    }
    enum since given = page->since_us != NULL ? SINCE_KEY : SINCE_VIEW;
    return given == endpoint->since ? STATUS_OK : STATUS_CURSOR_INVALID;
}

enum decision endpoint_refuse(const struct call *call, const struct broken *broken,
                              struct response *response)
{
    problem_respond(response, call->request, broken->rules, broken->count);
    return DECISION_RESPOND;
}

void endpoint_finish(const struct endpoint *endpoint, const struct call *call,
                     const struct result *result, struct response *response)
{
    if (endpoint->finish != NULL) {
        endpoint->finish(call, result, response);
        return;
    }
    enum status status = status_of(endpoint, result);
    if (status != STATUS_OK) {
        problem_respond_later(response, call->request, status, result->retry_after_s);
        return;
    }
    response_json(response, result->body, result->body_length);
    if (endpoint->is_list) {
        page_link_next(response, call->request, endpoint->pattern, &call->page, result->next_key);
        page_tell_seen(response, call->request, &call->page, result->seen);
    }
}
