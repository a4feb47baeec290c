#include "api/growth.h"

#include <stddef.h>

#include "api/rules.h"
#include "http/query.h"

static const char DEFAULT_ZONE[] = "UTC";

enum decision growth_days(struct call *call, struct response *response, struct statement *statement)
{
    struct broken broken = {0};
    const char *zone;

    if (query_value(call->request, "tz", &zone) != STATUS_OK) {
        broken_add(&broken, STATUS_MALFORMED_REQUEST);
    } else if (zone == NULL) {
        zone = DEFAULT_ZONE;
    } else {
        rule_time_zone(zone, &broken);
    }
    if (broken.count > 0) {
        return endpoint_refuse(call, &broken, response);
    }
    *statement = statement_of(STATEMENT_METRICS_GROWTH);
    statement_bind(statement, "zone", zone);
    return DECISION_ASK;
}
