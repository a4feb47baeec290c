/* The table of contents of the API. A row holds everything that differs between routes. A row that
 * leaves something out has the default: every caller is served, there is no body and no page, and a
 * statement without a row is an internal error. The address of a row is the identity of its
 * endpoint. Its position is the endpoint's number in the counters of a worker, which outlive the
 * worker; rows may be added anywhere, because a pool with another table has other counters. */
#include "api/routes.h"

#include <stddef.h>

#include "api/activities.h"
#include "api/endpoint.h"
#include "api/health.h"
#include "api/hooks.h"
#include "api/messages.h"
#include "api/metrics.h"
#include "api/social.h"
#include "api/status.h"
#include "api/users.h"
#include "confirmation/confirmation.h"
#include "db/catalog.h"
#include "http/router.h"

/* The outcomes of a statement that looks the caller up. */
#define CALLER_UNKNOWN STATUS_USER_NOT_FOUND, STATUS_USER_NOT_REGISTERED
/* The same, for a statement that writes. */
#define WRITER_UNKNOWN CALLER_UNKNOWN, STATUS_USER_SUSPENDED

/* One row for each method of a path. HEAD is answered wherever GET is, OPTIONS everywhere. */
static const struct endpoint ENDPOINTS[] = {
    {.method = METHOD_GET, .pattern = "/api/health-check", .handle = health_live},
    {.method = METHOD_GET, .pattern = "/livez", .handle = health_live},
    {.method = METHOD_GET,
     .pattern = "/readyz",
     .handle = health_ready,
     .statements = {&HEALTH_READY},
     .missing = STATUS_DATABASE_UNAVAILABLE},

    {.method = METHOD_GET,
     .pattern = "/api/activities/home",
     .handle = activities_home,
     .statements = {&ACTIVITIES_HOME, &ACTIVITIES_SINCE, &SOCIAL_HIDDEN},
     .access = ACCESS_VIEWER,
     .is_list = true,
     .since = SINCE_VIEW,
     .outcomes = {STATUS_CURSOR_EXPIRED},
     .refused = STATUS_CURSOR_INVALID},
    {.method = METHOD_GET, .pattern = "/api/activities/home/events", .handle = activities_events},
    {.method = METHOD_GET,
     .pattern = "/api/activities/following",
     .handle = social_following,
     .statements = {&SOCIAL_FOLLOWING, &SOCIAL_FOLLOWING_SINCE},
     .access = ACCESS_CALLER,
     .is_list = true,
     .since = SINCE_VIEW,
     .outcomes = {CALLER_UNKNOWN, STATUS_CURSOR_EXPIRED},
     .refused = STATUS_CURSOR_INVALID},
    {.method = METHOD_GET,
     .pattern = "/api/activities/notifications",
     .handle = social_notifications,
     .statements = {&SOCIAL_NOTIFICATIONS},
     .access = ACCESS_CALLER,
     .is_list = true,
     .since = SINCE_KEY,
     .outcomes = {CALLER_UNKNOWN}},
    {.method = METHOD_GET,
     .pattern = "/api/activities/notifications/unread",
     .handle = social_unread,
     .statements = {&SOCIAL_UNREAD},
     .access = ACCESS_CALLER,
     .outcomes = {CALLER_UNKNOWN}},
    {.method = METHOD_PUT,
     .pattern = "/api/activities/notifications/read",
     .handle = social_read,
     .statements = {&SOCIAL_READ},
     .access = ACCESS_CALLER,
     .takes_body = true,
     .outcomes = {CALLER_UNKNOWN, STATUS_FORBIDDEN}},
    {.method = METHOD_GET,
     .pattern = "/api/activities/search",
     .handle = activities_search,
     .statements = {&ACTIVITIES_SEARCH},
     .access = ACCESS_VIEWER,
     .is_list = true},
    {.method = METHOD_POST,
     .pattern = "/api/activities",
     .handle = activities_create,
     .statements = {&ACTIVITIES_CREATE},
     .access = ACCESS_CALLER,
     .takes_body = true,
     .outcomes = {WRITER_UNKNOWN, STATUS_FORBIDDEN, STATUS_IDEMPOTENCY_KEY_REUSED,
                  STATUS_ACTIVITY_DELETED, STATUS_POSTS_EXCEED_HOURLY_MAX}},
    {.method = METHOD_GET,
     .pattern = "/api/activities/{uuid}",
     .handle = activities_show,
     .statements = {&ACTIVITIES_SHOW},
     .access = ACCESS_VIEWER,
     .is_list = true,
     .rows = PAGE_LIMIT_MAX,
     .missing = STATUS_NOT_FOUND},
    {.method = METHOD_DELETE,
     .pattern = "/api/activities/{uuid}",
     .handle = activities_delete,
     .statements = {&ACTIVITIES_DELETE},
     .access = ACCESS_CALLER,
     .outcomes = {WRITER_UNKNOWN, STATUS_NOT_FOUND, STATUS_NOT_YOURS}},
    {.method = METHOD_POST,
     .pattern = "/api/activities/{uuid}/reply",
     .handle = activities_reply,
     .statements = {&ACTIVITIES_REPLY},
     .access = ACCESS_CALLER,
     .takes_body = true,
     .outcomes = {WRITER_UNKNOWN, STATUS_FORBIDDEN, STATUS_NOT_FOUND, STATUS_IDEMPOTENCY_KEY_REUSED,
                  STATUS_ACTIVITY_DELETED, STATUS_REPLIES_EXCEED_MAX,
                  STATUS_POSTS_EXCEED_HOURLY_MAX}},
    {.method = METHOD_PUT,
     .pattern = "/api/activities/{uuid}/like",
     .handle = social_like,
     .statements = {&SOCIAL_MARK},
     .access = ACCESS_CALLER,
     .outcomes = {WRITER_UNKNOWN, STATUS_NOT_FOUND}},
    {.method = METHOD_DELETE,
     .pattern = "/api/activities/{uuid}/like",
     .handle = social_unlike,
     .statements = {&SOCIAL_MARK},
     .access = ACCESS_CALLER,
     .outcomes = {WRITER_UNKNOWN, STATUS_NOT_FOUND}},
    {.method = METHOD_PUT,
     .pattern = "/api/activities/{uuid}/repost",
     .handle = social_repost,
     .statements = {&SOCIAL_MARK},
     .access = ACCESS_CALLER,
     .outcomes = {WRITER_UNKNOWN, STATUS_NOT_FOUND}},
    {.method = METHOD_DELETE,
     .pattern = "/api/activities/{uuid}/repost",
     .handle = social_unrepost,
     .statements = {&SOCIAL_MARK},
     .access = ACCESS_CALLER,
     .outcomes = {WRITER_UNKNOWN, STATUS_NOT_FOUND}},
    {.method = METHOD_GET,
     .pattern = "/api/activities/{uuid}/likes",
     .handle = social_likes,
     .statements = {&SOCIAL_MARKS},
     .access = ACCESS_VIEWER,
     .is_list = true,
     .missing = STATUS_NOT_FOUND},
    {.method = METHOD_GET,
     .pattern = "/api/activities/{uuid}/reposts",
     .handle = social_reposts,
     .statements = {&SOCIAL_MARKS},
     .access = ACCESS_VIEWER,
     .is_list = true,
     .missing = STATUS_NOT_FOUND},
    {.method = METHOD_POST,
     .pattern = "/api/activities/{uuid}/report",
     .handle = social_report,
     .statements = {&SOCIAL_REPORT},
     .access = ACCESS_CALLER,
     .takes_body = true,
     .outcomes = {WRITER_UNKNOWN, STATUS_FORBIDDEN, STATUS_NOT_FOUND, STATUS_REPORTED_IS_REPORTER,
                  STATUS_REPORTS_EXCEED_HOURLY_MAX}},
    {.method = METHOD_PUT,
     .pattern = "/api/activities/{uuid}/keep",
     .handle = activities_keep,
     .statements = {&ACTIVITIES_KEEP},
     .access = ACCESS_CALLER,
     .takes_body = true,
     .outcomes = {WRITER_UNKNOWN, STATUS_FORBIDDEN, STATUS_NOT_FOUND, STATUS_NOT_YOURS,
                  STATUS_REPLY_EXPIRES_WITH_PARENT}},
    {.method = METHOD_GET,
     .pattern = "/api/activities/@{handle}",
     .handle = users_feed,
     .statements = {&USERS_FEED, &USERS_TIMELINE},
     .access = ACCESS_VIEWER,
     .is_list = true,
     .missing = STATUS_NOT_FOUND},
    {.method = METHOD_GET,
     .pattern = "/api/activities/@{handle}/status/{uuid}",
     .handle = activities_show_of,
     .statements = {&ACTIVITIES_SHOW},
     .access = ACCESS_VIEWER,
     .is_list = true,
     .rows = PAGE_LIMIT_MAX,
     .missing = STATUS_NOT_FOUND},

    {.method = METHOD_GET,
     .pattern = "/api/users/@{handle}/short",
     .handle = users_short,
     .statements = {&USERS_SHORT},
     .access = ACCESS_VIEWER,
     .missing = STATUS_NOT_FOUND},
    {.method = METHOD_GET,
     .pattern = "/api/users/@{handle}/followers",
     .handle = social_followers,
     .statements = {&SOCIAL_FOLLOWERS},
     .access = ACCESS_VIEWER,
     .is_list = true,
     .missing = STATUS_NOT_FOUND},
    {.method = METHOD_PUT,
     .pattern = "/api/users/@{handle}/follow",
     .handle = social_follow,
     .statements = {&SOCIAL_FOLLOW},
     .outcomes = {WRITER_UNKNOWN, STATUS_NOT_FOUND, STATUS_FOLLOWED_IS_FOLLOWER,
                  STATUS_FOLLOWS_EXCEED_MAX},
     .access = ACCESS_CALLER},
    {.method = METHOD_DELETE,
     .pattern = "/api/users/@{handle}/follow",
     .handle = social_unfollow,
     .statements = {&SOCIAL_FOLLOW},
     .outcomes = {WRITER_UNKNOWN, STATUS_NOT_FOUND, STATUS_FOLLOWED_IS_FOLLOWER},
     .access = ACCESS_CALLER},
    {.method = METHOD_PUT,
     .pattern = "/api/users/@{handle}/block",
     .handle = social_block,
     .statements = {&SOCIAL_BLOCK},
     .outcomes = {WRITER_UNKNOWN, STATUS_NOT_FOUND, STATUS_BLOCKED_IS_BLOCKER,
                  STATUS_BLOCKS_EXCEED_MAX},
     .access = ACCESS_CALLER},
    {.method = METHOD_DELETE,
     .pattern = "/api/users/@{handle}/block",
     .handle = social_unblock,
     .statements = {&SOCIAL_BLOCK},
     .outcomes = {WRITER_UNKNOWN, STATUS_NOT_FOUND, STATUS_BLOCKED_IS_BLOCKER},
     .access = ACCESS_CALLER},
    {.method = METHOD_PUT,
     .pattern = "/api/users/@{handle}/mute",
     .handle = social_mute,
     .statements = {&SOCIAL_MUTE},
     .outcomes = {WRITER_UNKNOWN, STATUS_NOT_FOUND, STATUS_MUTED_IS_MUTER, STATUS_MUTES_EXCEED_MAX},
     .access = ACCESS_CALLER},
    {.method = METHOD_DELETE,
     .pattern = "/api/users/@{handle}/mute",
     .handle = social_unmute,
     .statements = {&SOCIAL_MUTE},
     .outcomes = {WRITER_UNKNOWN, STATUS_NOT_FOUND, STATUS_MUTED_IS_MUTER},
     .access = ACCESS_CALLER},
    {.method = METHOD_GET,
     .pattern = "/api/users/suggested",
     .handle = users_suggested,
     .statements = {&USERS_SUGGESTED},
     .access = ACCESS_VIEWER},
    {.method = METHOD_GET,
     .pattern = "/api/trends",
     .handle = activities_trends,
     .statements = {&ACTIVITIES_TRENDS}},
    {.method = METHOD_POST,
     .pattern = "/api/profile/update", /* the frontends differ in the method */
     .handle = users_update,
     .statements = {&USERS_UPDATE},
     .access = ACCESS_CALLER,
     .takes_body = true,
     .outcomes = {WRITER_UNKNOWN, STATUS_FORBIDDEN}},
    {.method = METHOD_PUT,
     .pattern = "/api/profile/update",
     .handle = users_update,
     .statements = {&USERS_UPDATE},
     .access = ACCESS_CALLER,
     .takes_body = true,
     .outcomes = {WRITER_UNKNOWN, STATUS_FORBIDDEN}},
    {.method = METHOD_DELETE,
     .pattern = "/api/profile",
     .handle = users_delete,
     .statements = {&USERS_DELETE},
     .access = ACCESS_CALLER,
     .takes_body = true,
     .outcomes = {CALLER_UNKNOWN, STATUS_USER_HANDLE_MISMATCH}},

    {.method = METHOD_GET,
     .pattern = "/api/message_groups",
     .handle = messages_groups,
     .statements = {&MESSAGES_GROUPS},
     .access = ACCESS_CALLER,
     .is_list = true,
     .since = SINCE_VIEW,
     .outcomes = {CALLER_UNKNOWN, STATUS_CURSOR_EXPIRED},
     .refused = STATUS_CURSOR_INVALID},
    {.method = METHOD_GET,
     .pattern = "/api/messages/{uuid}",
     .handle = messages_list,
     .statements = {&MESSAGES_LIST},
     .access = ACCESS_CALLER,
     .is_list = true,
     .since = SINCE_KEY,
     .outcomes = {CALLER_UNKNOWN, STATUS_NOT_FOUND}},
    {.method = METHOD_GET,
     .pattern = "/api/messages/@{handle}",
     .handle = messages_list_of,
     .statements = {&MESSAGES_LIST},
     .access = ACCESS_CALLER,
     .is_list = true,
     .since = SINCE_KEY,
     .outcomes = {CALLER_UNKNOWN, STATUS_NOT_FOUND, STATUS_RECEIVER_IS_SENDER}},
    {.method = METHOD_POST,
     .pattern = "/api/messages",
     .handle = messages_send,
     .statements = {&MESSAGES_APPEND, &MESSAGES_START},
     .access = ACCESS_CALLER,
     .takes_body = true,
     .outcomes = {WRITER_UNKNOWN, STATUS_FORBIDDEN, STATUS_NOT_FOUND, STATUS_RECEIVER_NOT_FOUND,
                  STATUS_RECEIVER_IS_SENDER, STATUS_IDEMPOTENCY_KEY_REUSED, STATUS_MESSAGE_DELETED,
                  STATUS_MESSAGES_EXCEED_HOURLY_MAX}},
    {.method = METHOD_DELETE,
     .pattern = "/api/messages/{message_group_uuid}/{uuid}",
     .handle = messages_delete,
     .statements = {&MESSAGES_DELETE},
     .access = ACCESS_CALLER,
     .outcomes = {WRITER_UNKNOWN, STATUS_NOT_FOUND, STATUS_NOT_YOURS}},
    {.method = METHOD_PUT,
     .pattern = "/api/message_groups/{uuid}/read",
     .handle = messages_read,
     .statements = {&MESSAGES_READ},
     .access = ACCESS_CALLER,
     .takes_body = true,
     .outcomes = {CALLER_UNKNOWN, STATUS_FORBIDDEN, STATUS_NOT_FOUND}},

    {.method = METHOD_GET,
     .pattern = "/metrics",
     .handle = metrics_show,
     .statements = {&METRICS_PURGE},
     .finish = metrics_finish},
    {.method = METHOD_GET,
     .pattern = "/api/metrics/growth",
     .handle = metrics_growth,
     .statements = {&METRICS_GROWTH},
     .outcomes = {STATUS_GROWTH_BEHIND},
     .refused = STATUS_TIME_ZONE_UNKNOWN},

    {.method = METHOD_POST,
     .pattern = "/api/hooks/cognito/post-confirmation",
     .handle = hooks_post_confirmation,
     .statements = {&CONFIRMATION_STATEMENT},
     .access = ACCESS_HOOK,
     .takes_body = true,
     .outcomes = {STATUS_TRIGGER_SOURCE_BLANK, STATUS_USER_POOL_MISMATCH,
                  STATUS_COGNITO_USER_ID_BLANK, STATUS_COGNITO_USER_ID_INVALID,
                  STATUS_USER_HANDLE_BLANK, STATUS_USER_HANDLE_INVALID, STATUS_DISPLAY_NAME_BLANK,
                  STATUS_DISPLAY_NAME_EXCEED_MAX_CHARS, STATUS_DISPLAY_NAME_INVALID,
                  STATUS_EMAIL_BLANK, STATUS_EMAIL_INVALID, STATUS_HANDLE_TAKEN,
                  STATUS_EMAIL_TAKEN}},
};

enum { ENDPOINTS_COUNT = sizeof ENDPOINTS / sizeof ENDPOINTS[0] };
_Static_assert((int)ENDPOINTS_COUNT <= (int)ROUTES_MAX, "there is a number for each");

size_t routes_number(const struct endpoint *endpoint)
{
    return (size_t)(endpoint - ENDPOINTS);
}

const struct endpoint *routes_at(size_t number)
{
    return number < ENDPOINTS_COUNT ? &ENDPOINTS[number] : NULL;
}

const char *routes_own_pattern(const char *pattern)
{
    for (size_t i = 0; i < ENDPOINTS_COUNT; i++) {
        if (ENDPOINTS[i].pattern == pattern) {
            return pattern;
        }
    }
    return NULL;
}

/* Without a secret there is no hook: the path then does not exist. */
void routes_add(struct router *router, bool with_hooks)
{
    for (size_t i = 0; i < ENDPOINTS_COUNT; i++) {
        if (with_hooks || ENDPOINTS[i].access != ACCESS_HOOK) {
            router_add(router, ENDPOINTS[i].method, ENDPOINTS[i].pattern, &ENDPOINTS[i]);
        }
    }
}

/* Adds a definition to a list of count, unless the list has it. */
static size_t add_once(const struct statement_def **list, size_t count,
                       const struct statement_def *def)
{
    for (size_t i = 0; i < count; i++) {
        if (list[i] == def) {
            return count;
        }
    }
    list[count] = def;
    return count + 1;
}

struct catalog *routes_load_catalog(const char *sql_dir)
{
    const struct statement_def *list[ENDPOINTS_COUNT * ENDPOINT_STATEMENTS_MAX + 1];
    size_t count = 0;

    for (size_t i = 0; i < ENDPOINTS_COUNT; i++) {
        const struct statement_def *const *named = ENDPOINTS[i].statements;

        for (size_t k = 0; k < ENDPOINT_STATEMENTS_MAX && named[k] != NULL; k++) {
            count = add_once(list, count, named[k]);
        }
    }
    list[count] = NULL;
    return catalog_load(sql_dir, list);
}
