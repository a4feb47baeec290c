/* Liveness does not touch the database: a restart of cruddurd would not help if PostgreSQL is down.
 * Readiness runs a statement, so that a load balancer takes out an instance that cannot answer. */
#include "api/health.h"

enum decision health_live(struct call *call, struct response *response, struct statement *statement)
{
    static const char body[] = "{\"success\":true,\"ver\":1}";

    (void)call;
    (void)statement;
    response_json(response, body, sizeof body - 1);
    return DECISION_RESPOND;
}

const struct statement_def HEALTH_READY = {
    .name = "health/ready",
};

enum decision health_ready(struct call *call, struct response *response,
                           struct statement *statement)
{
    (void)call;
    (void)response;
    *statement = statement_of(&HEALTH_READY);
    return DECISION_ASK;
}
