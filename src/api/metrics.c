/* Metrics have to be available when the database is not, so whether the statement succeeded is a
 * metric itself and never an error. The counters of the processes come from the metrics source in
 * the call; only the purge's state comes from the database. */
#include "api/metrics.h"

#include "api/rules.h"
#include "api/status.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/exposition.h"
#include "http/query.h"

const struct statement_def METRICS_PURGE = {
    .name = "metrics/purge",
};

enum decision metrics_show(struct call *call, struct response *response,
                           struct statement *statement)
{
    (void)call;
    (void)response;
    *statement = statement_of(&METRICS_PURGE);
    return DECISION_ASK;
}

/* The status is 200 in any case: a scrape that failed would look like a dead process. */
void metrics_finish(const struct call *call, const struct result *result, struct response *response)
{
    bool has_answered = result->status == STATUS_OK && result->body != NULL;
    struct buf text = {0};

    if (call->metrics_source != NULL) {
        call->metrics_source->write(call->metrics_source->of, &text);
    }
    exposition_one(&text, "cruddur_database_up", "gauge", "Whether the database answered just now.",
                   has_answered);
    if (has_answered) {
        buf_append(&text, result->body, result->body_length);
    }
    response_text(response, "text/plain; version=0.0.4; charset=utf-8",
                  arena_copy(call->request->arena, text.bytes, text.length), text.length);
    buf_release(&text);
}

static const char DEFAULT_ZONE[] = "UTC", DEFAULT_DAYS[] = "7";

const struct statement_def METRICS_GROWTH = {
    .name = "metrics/growth",
    .parameters = {"zone", "days"},
    .lane = LANE_SLOW,
    .on_replica = true,
};

/* PostgreSQL refuses the name of a time zone that it does not know; the rule here refuses text that
 * cannot be such a name. */
enum decision metrics_growth(struct call *call, struct response *response,
                             struct statement *statement)
{
    struct broken broken = {0};
    const char *zone, *days;

    if (query_value(call->request, "tz", &zone) != STATUS_OK ||
        query_value(call->request, "days", &days) != STATUS_OK) {
        broken_add(&broken, STATUS_MALFORMED_REQUEST);
        return endpoint_refuse(call, &broken, response);
    }
    zone = zone != NULL ? zone : DEFAULT_ZONE;
    days = days != NULL ? days : DEFAULT_DAYS;
    rule_time_zone(zone, &broken);
    rule_days(days, &broken);
    if (broken.count > 0) {
        return endpoint_refuse(call, &broken, response);
    }
    *statement = statement_of(&METRICS_GROWTH);
    statement_bind(statement, "zone", zone);
    statement_bind(statement, "days", days);
    return DECISION_ASK;
}
