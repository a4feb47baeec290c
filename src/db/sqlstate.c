/* The meanings of SQLSTATEs. A class is taken as a whole where PostgreSQL's appendix A gives all
 * its codes the same cause; codes that differ from their class stand before it. A code that is not
 * listed is a fault of ours: a statement that PostgreSQL does not accept. */
#include "db/sqlstate.h"

#include <stddef.h>
#include <string.h>

/* First match wins; two characters stand for a class. PostgreSQL's documentation, appendix A. */
static const struct {
    const char *prefix;
    struct verdict verdict;
} VERDICTS[] = {
    {"08", {STATUS_DATABASE_UNAVAILABLE, REMEDY_RECONNECT}},    /* connection_exception */
    {"0A000", {STATUS_INTERNAL, REMEDY_RECONNECT}},             /* cached plan … result type */
    {"22021", {STATUS_MALFORMED_REQUEST, REMEDY_NONE}},         /* invalid byte sequence */
    {"22", {STATUS_VALUE_REFUSED, REMEDY_NONE}},                /* data_exception */
    {"23505", {STATUS_CONFLICT, REMEDY_NONE}},                  /* unique_violation */
    {"23", {STATUS_VALUE_REFUSED, REMEDY_NONE}},                /* integrity constraints */
    {"25006", {STATUS_DATABASE_UNAVAILABLE, REMEDY_RECONNECT}}, /* read_only_sql_transaction */
    {"26000", {STATUS_INTERNAL, REMEDY_RECONNECT}},             /* prepared statement is gone */
    {"40", {STATUS_DATABASE_UNAVAILABLE, REMEDY_AGAIN}},        /* deadlock, serialization */
    {"53", {STATUS_DATABASE_UNAVAILABLE, REMEDY_NONE}},         /* disk full, no memory, slots */
    {"55P03", {STATUS_DATABASE_TIMEOUT, REMEDY_NONE}},          /* lock_not_available */
    {"57014", {STATUS_DATABASE_TIMEOUT, REMEDY_NONE}},          /* statement_timeout */
    {"57", {STATUS_DATABASE_UNAVAILABLE, REMEDY_RECONNECT}},    /* shutdown, crash, starting up */
    {"58", {STATUS_DATABASE_UNAVAILABLE, REMEDY_NONE}},         /* input/output errors */
};

/* sqlstate has five characters, prefix two or five. */
static bool has_prefix(const char *sqlstate, const char *prefix)
{
    return strncmp(sqlstate, prefix, strlen(prefix)) == 0;
}

struct verdict sqlstate_verdict(const char *sqlstate)
{
    if (sqlstate == NULL) {
        sqlstate = "08";
    }
    for (size_t i = 0; i < sizeof VERDICTS / sizeof VERDICTS[0]; i++) {
        if (has_prefix(sqlstate, VERDICTS[i].prefix)) {
            return VERDICTS[i].verdict;
        }
    }
    return (struct verdict){STATUS_INTERNAL, REMEDY_NONE};
}

bool sqlstate_quotes_values(const char *sqlstate)
{
    return sqlstate != NULL &&
           (has_prefix(sqlstate, "21") || has_prefix(sqlstate, "22") ||
            has_prefix(sqlstate, "23") || has_prefix(sqlstate, "44") || has_prefix(sqlstate, "P0"));
}

bool sqlstate_is_missing_object(const char *sqlstate)
{
    static const char *const MISSING[] = {"42703", "42883", "42P01", "42704"};
    bool is_missing = false;

    for (size_t i = 0; sqlstate != NULL && i < sizeof MISSING / sizeof MISSING[0]; i++) {
        is_missing = is_missing || strcmp(sqlstate, MISSING[i]) == 0;
    }
    return is_missing;
}
