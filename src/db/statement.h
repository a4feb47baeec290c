/* One statement with its values: all that a handler says to the database. */
#ifndef CRUDDUR_DB_STATEMENT_H
#define CRUDDUR_DB_STATEMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "db/template.h"

/* Every statement there is; catalog.c says which template and which parameters each one has. */
enum statement_id {
    STATEMENT_SESSION_BEGIN,
    STATEMENT_SESSION_ROOM,
    STATEMENT_SESSION_SCHEMA,
    STATEMENT_SESSION_SNAPSHOT,
    STATEMENT_SESSION_INTRODUCE,
    STATEMENT_HEALTH_READY,
    STATEMENT_ACTIVITIES_HOME,
    STATEMENT_ACTIVITIES_SINCE,
    STATEMENT_ACTIVITIES_SEARCH,
    STATEMENT_ACTIVITIES_TRENDS,
    STATEMENT_ACTIVITIES_SHOW,
    STATEMENT_ACTIVITIES_CREATE,
    STATEMENT_ACTIVITIES_REPLY,
    STATEMENT_ACTIVITIES_DELETE,
    STATEMENT_ACTIVITIES_KEEP,
    STATEMENT_USERS_SHORT,
    STATEMENT_USERS_SUGGESTED,
    STATEMENT_USERS_FEED,
    STATEMENT_USERS_TIMELINE,
    STATEMENT_USERS_UPDATE,
    STATEMENT_HOOKS_CONFIRM,
    STATEMENT_MESSAGES_GROUPS,
    STATEMENT_MESSAGES_LIST,
    STATEMENT_MESSAGES_APPEND,
    STATEMENT_MESSAGES_START,
    STATEMENT_SOCIAL_LIKE,
    STATEMENT_SOCIAL_REPOST,
    STATEMENT_SOCIAL_FOLLOW,
    STATEMENT_SOCIAL_FOLLOWING,
    STATEMENT_SOCIAL_FOLLOWING_SINCE,
    STATEMENT_SOCIAL_NOTIFICATIONS,
    STATEMENT_SOCIAL_UNREAD,
    STATEMENT_SOCIAL_READ,
    STATEMENT_METRICS_GROWTH,
    STATEMENT_METRICS_PURGE,
    STATEMENT_METRICS_STEP,
    STATEMENT_COUNT
};

/* A value is NUL-terminated UTF-8 that lives until the statement is done; NULL is SQL's NULL.
 * Sending a statement a second time must be safe: what it creates carries its UUID already. */
struct statement {
    enum statement_id id;
    int64_t
        asked_us; /* when the request that it is for had arrived, from which its deadline counts; monotonic; 0: now */
    /* It takes locks besides those of its own rows: it is not committed together with others, which may
     * take the same locks in another order. */
    bool takes_locks;
    const char *values[TEMPLATE_PARAMETERS_MAX];
};

/* An empty statement: every parameter NULL. */
struct statement statement_of(enum statement_id id);

/* Sets a parameter by its name in the template. A name that the statement doesn't have is a
 * programming error and ends the process. */
void statement_bind(struct statement *statement, const char *parameter, const char *value);

/* The value that a parameter was set to. */
const char *statement_value(const struct statement *statement, const char *parameter);

/* What came back. The text lives until the callback that gets it returns. */
struct result {
    enum status status;   /* STATUS_OK: the database answered; else why not */
    const char *outcome;  /* the statement's outcome word; NULL: it gave no row */
    const char *body;     /* JSON text; NULL when there is none */
    size_t body_length;   /* bytes */
    const char *next_key; /* of a page's last row when the page is full, else NULL */
    int64_t lives_us;     /* of a page or the purge: until a row expires; -1: none does */
    /* The snapshot, as in snapshot.h; or for a list whose rows become visible in its order, the newest
     * row's key; NULL: the result is not to be cached. */
    const char *seen;
    int64_t clock_us;     /* of a look at the snapshot: the server's clock, since 1970; else 0 */
    int retry_after_s;    /* of a write that there is no room for yet; else 0 */
    char sqlstate[6];     /* of the error; "" without one */
    int64_t microseconds; /* waited for the database, reconnecting and repeating included */
};

#endif
