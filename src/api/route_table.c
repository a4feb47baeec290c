/* The table of routes as text, for readers and for tests/http/test_openapi.py. It has only what the
 * rows of routes.c say: the codes that every route with a body may answer, for instance, are not in
 * it. */
#include "api/route_table.h"

#include <stddef.h>

#include "api/endpoint.h"
#include "api/routes.h"
#include "api/status.h"
#include "base/buf.h"
#include "http/router.h"

static const char *const ACCESS[] = {[ACCESS_ANYONE] = "anyone",
                                     [ACCESS_VIEWER] = "viewer",
                                     [ACCESS_CALLER] = "caller",
                                     [ACCESS_HOOK] = "hook"};

/* Comma-separated, so that a column holds no blank. */
static void add_value(struct buf *list, const char *value)
{
    buf_printf(list, "%s%s", list->length > 0 ? "," : "", value);
}

static const char *session_name(const struct statement_def *def)
{
    switch (def->lane) {
    case LANE_WRITE:
        return "writes";
    case LANE_SLOW:
        return "slow";
    case LANE_HOOK:
        return "hook";
    default:
        return "reads";
    }
}

/* Adds the names of a route's statements, and returns the session that runs them, which is the same
 * for all of them. */
static const char *add_statements(const struct endpoint *endpoint, struct buf *names)
{
    const char *session = NULL;

    for (size_t i = 0; i < ENDPOINT_STATEMENTS_MAX && endpoint->statements[i] != NULL; i++) {
        add_value(names, endpoint->statements[i]->name);
        session = session_name(endpoint->statements[i]);
    }
    return session;
}

/* Adds the codes of the results of a route's statements. There are none with a finisher, which
 * makes a response of every result. */
static void add_codes(const struct endpoint *endpoint, struct buf *codes)
{
    if (endpoint->statements[0] == NULL || endpoint->finish != NULL) {
        return;
    }
    add_value(codes, status_code(endpoint_missing(endpoint)));
    if (endpoint->refused != STATUS_OK) {
        add_value(codes, status_code(endpoint->refused));
    }
    for (size_t i = 0; i < ENDPOINT_OUTCOMES_MAX && endpoint->outcomes[i] != STATUS_OK; i++) {
        add_value(codes, status_code(endpoint->outcomes[i]));
    }
}

static const char *or_dash(const struct buf *list)
{
    return list->length > 0 ? list->bytes : "-";
}

/* The widths fit the longest values of today; a longer one only shifts the rest of its line. */
static void print_route(const struct endpoint *endpoint, FILE *out)
{
    struct buf takes = {0}, statements = {0}, codes = {0};
    const char *session = add_statements(endpoint, &statements);

    if (endpoint->takes_body) {
        add_value(&takes, "body");
    }
    if (endpoint->is_list) {
        add_value(&takes, "page");
    }
    if (endpoint->since != SINCE_NONE) {
        add_value(&takes, "since");
    }
    add_codes(endpoint, &codes);
    fprintf(out, "%-7s %-41s %-7s %-11s %-44s %-8s %s\n", method_name(endpoint->method),
            endpoint->pattern, ACCESS[endpoint->access], or_dash(&takes), or_dash(&statements),
            session != NULL ? session : "-", or_dash(&codes));
    buf_release(&takes);
    buf_release(&statements);
    buf_release(&codes);
}

void route_table_print(FILE *out)
{
    const struct endpoint *endpoint;

    fprintf(out, "%-7s %-41s %-7s %-11s %-44s %-8s %s\n", "METHOD", "PATH", "ACCESS", "TAKES",
            "STATEMENTS", "SESSION", "CODES");
    for (size_t number = 0; (endpoint = routes_at(number)) != NULL; number++) {
        print_route(endpoint, out);
    }
    fprintf(out, "\n%-7s %s\n", "STATUS", "CODE");
    for (enum status status = STATUS_OK; status < STATUS_COUNT; status++) {
        fprintf(out, "%-7d %s\n", status_http(status), status_code(status));
    }
}
