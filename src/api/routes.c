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

/* What a statement may say of its caller. */
#define WHO STATUS_USER_NOT_FOUND, STATUS_USER_NOT_REGISTERED

/* What is done to an activity, or taken back; the same again is nothing more. */
#define MARK                                                                                       \
    .access = ACCESS_CALLER, .outcomes = {WHO, STATUS_NOT_FOUND}, .missing = STATUS_INTERNAL
#define FOLLOW .access = ACCESS_CALLER, .missing = STATUS_INTERNAL

/* The frontends differ in the method. */
#define PROFILE_UPDATE                                                                             \
    .handle = users_update, .access = ACCESS_CALLER, .takes_body = true,                           \
    .outcomes = {WHO, STATUS_FORBIDDEN}, .missing = STATUS_INTERNAL

/* HEAD is answered wherever GET is, OPTIONS everywhere. */
static const struct endpoint ENDPOINTS[] = {
    {.method = METHOD_GET, .pattern = "/api/health-check", .handle = health_live},
    {.method = METHOD_GET, .pattern = "/livez", .handle = health_live},
    {.method = METHOD_GET,
     .pattern = "/readyz",
     .handle = health_ready,
     .missing = STATUS_DATABASE_UNAVAILABLE},

    {.method = METHOD_GET,
     .pattern = "/api/activities/home",
     .handle = activities_home,
     .is_list = true,
     .since = SINCE_VIEW,
     .outcomes = {STATUS_CURSOR_EXPIRED},
     .refused = STATUS_CURSOR_INVALID,
     .missing = STATUS_INTERNAL},
    {.method = METHOD_GET,
     .pattern = "/api/activities/following",
     .handle = social_following,
     .access = ACCESS_CALLER,
     .is_list = true,
     .since = SINCE_VIEW,
     .outcomes = {WHO, STATUS_CURSOR_EXPIRED},
     .refused = STATUS_CURSOR_INVALID,
     .missing = STATUS_INTERNAL},
    {.method = METHOD_GET,
     .pattern = "/api/activities/notifications",
     .handle = social_notifications,
     .access = ACCESS_CALLER,
     .is_list = true,
     .since = SINCE_KEY,
     .outcomes = {WHO},
     .missing = STATUS_INTERNAL},
    {.method = METHOD_GET,
     .pattern = "/api/activities/notifications/unread",
     .handle = social_unread,
     .access = ACCESS_CALLER,
     .outcomes = {WHO},
     .missing = STATUS_INTERNAL},
    {.method = METHOD_PUT,
     .pattern = "/api/activities/notifications/read",
     .handle = social_read,
     .access = ACCESS_CALLER,
     .takes_body = true,
     .outcomes = {WHO, STATUS_FORBIDDEN},
     .missing = STATUS_INTERNAL},
    {.method = METHOD_GET,
     .pattern = "/api/activities/search",
     .handle = activities_search,
     .is_list = true,
     .missing = STATUS_INTERNAL},
    {.method = METHOD_POST,
     .pattern = "/api/activities",
     .handle = activities_create,
     .access = ACCESS_CALLER,
     .takes_body = true,
     .outcomes = {WHO, STATUS_FORBIDDEN, STATUS_IDEMPOTENCY_KEY_REUSED, STATUS_ACTIVITY_DELETED,
                  STATUS_POSTS_EXCEED_HOURLY_MAX},
     .missing = STATUS_INTERNAL},
    {.method = METHOD_GET,
     .pattern = "/api/activities/{uuid}",
     .handle = activities_show,
     .access = ACCESS_VIEWER,
     .is_list = true,
     .rows = PAGE_LIMIT_MAX,
     .missing = STATUS_NOT_FOUND},
    {.method = METHOD_DELETE,
     .pattern = "/api/activities/{uuid}",
     .handle = activities_delete,
     .access = ACCESS_CALLER,
     .outcomes = {WHO, STATUS_NOT_FOUND, STATUS_NOT_YOURS},
     .missing = STATUS_INTERNAL},
    {.method = METHOD_POST,
     .pattern = "/api/activities/{uuid}/reply",
     .handle = activities_reply,
     .access = ACCESS_CALLER,
     .takes_body = true,
     .outcomes = {WHO, STATUS_FORBIDDEN, STATUS_NOT_FOUND, STATUS_IDEMPOTENCY_KEY_REUSED,
                  STATUS_ACTIVITY_DELETED, STATUS_REPLIES_EXCEED_MAX,
                  STATUS_POSTS_EXCEED_HOURLY_MAX},
     .missing = STATUS_INTERNAL},
    {.method = METHOD_PUT, .pattern = "/api/activities/{uuid}/like", .handle = social_like, MARK},
    {.method = METHOD_DELETE,
     .pattern = "/api/activities/{uuid}/like",
     .handle = social_unlike,
     MARK},
    {.method = METHOD_PUT,
     .pattern = "/api/activities/{uuid}/repost",
     .handle = social_repost,
     MARK},
    {.method = METHOD_DELETE,
     .pattern = "/api/activities/{uuid}/repost",
     .handle = social_unrepost,
     MARK},
    {.method = METHOD_PUT,
     .pattern = "/api/activities/{uuid}/keep",
     .handle = activities_keep,
     .access = ACCESS_CALLER,
     .takes_body = true,
     .outcomes = {WHO, STATUS_FORBIDDEN, STATUS_NOT_FOUND, STATUS_NOT_YOURS,
                  STATUS_REPLY_EXPIRES_WITH_PARENT},
     .missing = STATUS_INTERNAL},
    {.method = METHOD_GET,
     .pattern = "/api/activities/@{handle}",
     .handle = users_feed,
     .access = ACCESS_VIEWER,
     .is_list = true,
     .missing = STATUS_NOT_FOUND},
    {.method = METHOD_GET,
     .pattern = "/api/activities/@{handle}/status/{uuid}",
     .handle = activities_show_of,
     .access = ACCESS_VIEWER,
     .is_list = true,
     .rows = PAGE_LIMIT_MAX,
     .missing = STATUS_NOT_FOUND},

    {.method = METHOD_GET,
     .pattern = "/api/users/@{handle}/short",
     .handle = users_short,
     .missing = STATUS_NOT_FOUND},
    {.method = METHOD_PUT,
     .pattern = "/api/users/@{handle}/follow",
     .handle = social_follow,
     .outcomes = {WHO, STATUS_NOT_FOUND, STATUS_FOLLOWED_IS_FOLLOWER, STATUS_FOLLOWS_EXCEED_MAX},
     FOLLOW},
    {.method = METHOD_DELETE,
     .pattern = "/api/users/@{handle}/follow",
     .handle = social_unfollow,
     .outcomes = {WHO, STATUS_NOT_FOUND, STATUS_FOLLOWED_IS_FOLLOWER},
     FOLLOW},
    {.method = METHOD_GET,
     .pattern = "/api/users/suggested",
     .handle = users_suggested,
     .access = ACCESS_VIEWER,
     .missing = STATUS_INTERNAL},
    {.method = METHOD_GET,
     .pattern = "/api/trends",
     .handle = activities_trends,
     .missing = STATUS_INTERNAL},
    {.method = METHOD_POST, .pattern = "/api/profile/update", PROFILE_UPDATE},
    {.method = METHOD_PUT, .pattern = "/api/profile/update", PROFILE_UPDATE},

    {.method = METHOD_GET,
     .pattern = "/api/message_groups",
     .handle = messages_groups,
     .access = ACCESS_CALLER,
     .is_list = true,
     .since = SINCE_VIEW,
     .outcomes = {WHO, STATUS_CURSOR_EXPIRED},
     .refused = STATUS_CURSOR_INVALID,
     .missing = STATUS_INTERNAL},
    {.method = METHOD_GET,
     .pattern = "/api/messages/{uuid}",
     .handle = messages_list,
     .access = ACCESS_CALLER,
     .is_list = true,
     .since = SINCE_KEY,
     .outcomes = {WHO, STATUS_NOT_FOUND},
     .missing = STATUS_INTERNAL},
    {.method = METHOD_GET,
     .pattern = "/api/messages/@{handle}",
     .handle = messages_list_of,
     .access = ACCESS_CALLER,
     .is_list = true,
     .since = SINCE_KEY,
     .outcomes = {WHO, STATUS_NOT_FOUND, STATUS_RECEIVER_IS_SENDER},
     .missing = STATUS_INTERNAL},
    {.method = METHOD_POST,
     .pattern = "/api/messages",
     .handle = messages_send,
     .access = ACCESS_CALLER,
     .takes_body = true,
     .outcomes = {WHO, STATUS_FORBIDDEN, STATUS_NOT_FOUND, STATUS_RECEIVER_NOT_FOUND,
                  STATUS_RECEIVER_IS_SENDER, STATUS_IDEMPOTENCY_KEY_REUSED,
                  STATUS_MESSAGES_EXCEED_HOURLY_MAX},
     .missing = STATUS_INTERNAL},

    {.method = METHOD_GET, .pattern = "/metrics", .handle = metrics_show, .finish = metrics_finish},
    {.method = METHOD_GET,
     .pattern = "/api/metrics/growth",
     .handle = metrics_growth,
     .outcomes = {STATUS_GROWTH_BEHIND},
     .refused = STATUS_TIME_ZONE_UNKNOWN,
     .missing = STATUS_INTERNAL},

    {.method = METHOD_POST,
     .pattern = "/api/hooks/cognito/post-confirmation",
     .handle = hooks_post_confirmation,
     .access = ACCESS_HOOK,
     .takes_body = true,
     .outcomes = {STATUS_TRIGGER_SOURCE_BLANK, STATUS_USER_POOL_MISMATCH,
                  STATUS_COGNITO_USER_ID_BLANK, STATUS_COGNITO_USER_ID_INVALID,
                  STATUS_USER_HANDLE_BLANK, STATUS_USER_HANDLE_INVALID, STATUS_DISPLAY_NAME_BLANK,
                  STATUS_DISPLAY_NAME_EXCEED_MAX_CHARS, STATUS_DISPLAY_NAME_INVALID,
                  STATUS_EMAIL_BLANK, STATUS_EMAIL_INVALID, STATUS_HANDLE_TAKEN,
                  STATUS_EMAIL_TAKEN},
     .missing = STATUS_INTERNAL},
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

void routes_add(struct router *router, bool with_hooks)
{
    for (size_t i = 0; i < ENDPOINTS_COUNT; i++) {
        if (with_hooks || ENDPOINTS[i].access != ACCESS_HOOK) {
            router_add(router, ENDPOINTS[i].method, ENDPOINTS[i].pattern, &ENDPOINTS[i]);
        }
    }
}
