/* The statements that cruddurd runs for itself, and how values get into a statement. Names are
 * compared at run time, which costs some nanoseconds a value and keeps handlers independent of the
 * order of parameters. A wrong name ends the process at the first request of the route, so the
 * route's test finds it. */
#include "db/statement.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

const struct statement_def STATEMENT_SESSION_BEGIN = {
    .name = "session/begin",
    .shape = SHAPE_PLAIN,
    .parameters = {"statement_timeout", "is_local"},
};

const struct statement_def STATEMENT_SESSION_SERVER = {
    .name = "session/server",
    .lane = LANE_PROBE,
};

const struct statement_def STATEMENT_SESSION_COMMITTED = {
    .name = "session/committed",
    .parameters = {"xids"},
    .lane = LANE_PROBE,
};

const struct statement_def STATEMENT_SESSION_INTRODUCE = {
    .name = "session/introduce",
    .shape = SHAPE_PLAIN,
    .parameters = {"lost", "patience_ms"},
    .lane = LANE_WRITE,
    .more_lanes = LANE_SET(LANE_HOOK),
};

const struct statement_def STATEMENT_SESSION_ROOM = {
    .name = "session/room",
    .lane = LANE_WATCH,
};

const struct statement_def STATEMENT_SESSION_SCHEMA = {
    .name = "session/schema",
    .lane = LANE_WATCH,
};

const struct statement_def STATEMENT_SESSION_SNAPSHOT = {
    .name = "session/snapshot",
    .lane = LANE_WATCH,
};

const struct statement_def STATEMENT_METRICS_STEP = {
    .name = "metrics/step",
    .lane = LANE_PURGE,
};

unsigned statement_lanes(const struct statement_def *def)
{
    return LANE_SET(def->lane) | def->more_lanes;
}

struct statement statement_of(const struct statement_def *def)
{
    return (struct statement){.def = def};
}

size_t statement_find(const struct statement_def *def, const char *parameter)
{
    for (size_t i = 0; def->parameters[i] != NULL; i++) {
        if (strcmp(def->parameters[i], parameter) == 0) {
            return i;
        }
    }
    return TEMPLATE_PARAMETERS_MAX;
}

/* The index of a parameter that a handler names. */
static size_t index_of(const struct statement_def *def, const char *parameter)
{
    size_t index = statement_find(def, parameter);

    if (index < TEMPLATE_PARAMETERS_MAX) {
        return index;
    }
    log_message(LOG_ERROR, "bug", "%s has no parameter %s", def->name, parameter);
    abort();
}

void statement_bind(struct statement *statement, const char *parameter, const char *value)
{
    statement->values[index_of(statement->def, parameter)] = value;
}

const char *statement_value(const struct statement *statement, const char *parameter)
{
    return statement->values[index_of(statement->def, parameter)];
}

bool result_is_ok(const struct result *result)
{
    return result->status == STATUS_OK && result->outcome != NULL &&
           strcmp(result->outcome, "ok") == 0;
}
