/* One row for each reason. The codes are part of the API: clients compare them, so a code never
 * changes its meaning, and user_reciever_handle_blank keeps the spelling that the frontends have.
 */
#include "api/status.h"

#include <stddef.h>
#include <string.h>

static const struct {
    int http;
    const char *code;
} STATUSES[STATUS_COUNT] = {
    [STATUS_OK] = {200, "ok"},
    [STATUS_MALFORMED_REQUEST] = {400, "malformed_request"},
    [STATUS_UNAUTHENTICATED] = {401, "generic_401"},
    [STATUS_SIGNATURE_INVALID] = {401, "signature_invalid"},
    [STATUS_SIGNATURE_EXPIRED] = {401, "signature_expired"},
    [STATUS_FORBIDDEN] = {403, "generic_403"},
    [STATUS_USER_NOT_REGISTERED] = {403, "user_not_registered"},
    [STATUS_USER_SUSPENDED] = {403, "user_suspended"},
    [STATUS_NOT_YOURS] = {403, "not_yours"},
    [STATUS_USER_POOL_MISMATCH] = {403, "user_pool_mismatch"},
    [STATUS_NOT_FOUND] = {404, "not_found"},
    [STATUS_ACTIVITY_DELETED] = {410, "activity_deleted"},
    [STATUS_MESSAGE_DELETED] = {410, "message_deleted"},
    [STATUS_CURSOR_EXPIRED] = {410, "cursor_expired"},
    [STATUS_METHOD_NOT_ALLOWED] = {405, "method_not_allowed"},
    [STATUS_REQUEST_TIMEOUT] = {408, "request_timeout"},
    [STATUS_URI_TOO_LONG] = {414, "uri_too_long"},
    [STATUS_NOT_IMPLEMENTED] = {501, "not_implemented"},
    [STATUS_INTERNAL] = {500, "generic_500"},
    [STATUS_BODY_TRUNCATED] = {400, "body_truncated"},
    [STATUS_BODY_NOT_UTF8] = {400, "body_not_utf8"},
    [STATUS_BODY_NOT_JSON] = {400, "body_not_json"},
    [STATUS_BODY_TOO_LARGE] = {413, "body_too_large"},
    [STATUS_CONTENT_ENCODING_UNSUPPORTED] = {415, "content_encoding_unsupported"},
    [STATUS_CONTENT_TYPE_UNSUPPORTED] = {415, "content_type_unsupported"},
    [STATUS_TTL_BLANK] = {422, "ttl_blank"},
    [STATUS_USER_HANDLE_BLANK] = {422, "user_handle_blank"},
    [STATUS_USER_HANDLE_MISMATCH] = {422, "user_handle_mismatch"},
    [STATUS_MESSAGE_BLANK] = {422, "message_blank"},
    [STATUS_MESSAGE_EXCEED_MAX_CHARS] = {422, "message_exceed_max_chars"},
    [STATUS_MESSAGE_EXCEED_MAX_CHARS_1024] = {422, "message_exceed_max_chars_1024"},
    [STATUS_DISPLAY_NAME_BLANK] = {422, "display_name_blank"},
    [STATUS_DISPLAY_NAME_EXCEED_MAX_CHARS] = {422, "display_name_exceed_max_chars"},
    [STATUS_DISPLAY_NAME_INVALID] = {422, "display_name_invalid"},
    [STATUS_BIO_EXCEED_MAX_CHARS] = {422, "bio_exceed_max_chars"},
    [STATUS_BIO_INVALID] = {422, "bio_invalid"},
    [STATUS_RECEIVER_HANDLE_BLANK] = {422,
                                      "user_reciever_handle_blank"}, /* as the frontends spell it */
    [STATUS_MESSAGE_GROUP_UUID_BLANK] = {422, "message_group_uuid_blank"},
    [STATUS_RECEIVER_NOT_FOUND] = {404, "receiver_not_found"},
    [STATUS_RECEIVER_IS_SENDER] = {422, "receiver_is_sender"},
    [STATUS_REASON_BLANK] = {422, "reason_blank"},
    [STATUS_REASON_EXCEED_MAX_CHARS] = {422, "reason_exceed_max_chars"},
    [STATUS_REPORTED_IS_REPORTER] = {422, "reported_is_reporter"},
    [STATUS_BLOCKED_IS_BLOCKER] = {422, "blocked_is_blocker"},
    [STATUS_MUTED_IS_MUTER] = {422, "muted_is_muter"},
    [STATUS_FOLLOWED_IS_FOLLOWER] = {422, "followed_is_follower"},
    [STATUS_REPLY_EXPIRES_WITH_PARENT] = {422, "reply_expires_with_parent"},
    [STATUS_UNTIL_INVALID] = {422, "until_invalid"},
    [STATUS_IDEMPOTENCY_KEY_INVALID] = {400, "idempotency_key_invalid"},
    [STATUS_IDEMPOTENCY_KEY_REUSED] = {422, "idempotency_key_reused"},
    [STATUS_REPLIES_EXCEED_MAX] = {409, "replies_exceed_max"},
    [STATUS_USER_NOT_FOUND] = {422, "user_not_found"},
    [STATUS_TRIGGER_SOURCE_BLANK] = {422, "trigger_source_blank"},
    [STATUS_COGNITO_USER_ID_BLANK] = {422, "cognito_user_id_blank"},
    [STATUS_COGNITO_USER_ID_INVALID] = {422, "cognito_user_id_invalid"},
    [STATUS_USER_HANDLE_INVALID] = {422, "user_handle_invalid"},
    [STATUS_EMAIL_BLANK] = {422, "email_blank"},
    [STATUS_EMAIL_INVALID] = {422, "email_invalid"},
    [STATUS_HANDLE_TAKEN] = {409, "handle_taken"},
    [STATUS_EMAIL_TAKEN] = {409, "email_taken"},
    [STATUS_BLOCKS_EXCEED_MAX] = {409, "blocks_exceed_max"},
    [STATUS_MUTES_EXCEED_MAX] = {409, "mutes_exceed_max"},
    [STATUS_FOLLOWS_EXCEED_MAX] = {409, "follows_exceed_max"},
    [STATUS_SEARCH_TERM_BLANK] = {422, "search_term_blank"},
    [STATUS_SEARCH_TERM_EXCEED_MAX_CHARS] = {422, "search_term_exceed_max_chars"},
    [STATUS_TIME_ZONE_UNKNOWN] = {422, "time_zone_unknown"},
    [STATUS_DAYS_INVALID] = {422, "days_invalid"},
    [STATUS_LIMIT_INVALID] = {422, "limit_invalid"},
    [STATUS_CURSOR_INVALID] = {422, "cursor_invalid"},
    [STATUS_ORDER_INVALID] = {422, "order_invalid"},
    [STATUS_WITH_INVALID] = {422, "with_invalid"},
    [STATUS_KEYS_UNAVAILABLE] = {503, "keys_unavailable"},
    [STATUS_DATABASE_UNAVAILABLE] = {503, "database_unavailable"},
    [STATUS_DATABASE_TIMEOUT] = {504, "database_timeout"},
    [STATUS_GROWTH_BEHIND] = {503, "growth_behind"},
    [STATUS_STREAMS_EXCEED_MAX] = {503, "streams_exceed_max"},
    [STATUS_TOO_MANY_REQUESTS] = {429, "too_many_requests"},
    [STATUS_POSTS_EXCEED_HOURLY_MAX] = {429, "posts_exceed_hourly_max"},
    [STATUS_MESSAGES_EXCEED_HOURLY_MAX] = {429, "messages_exceed_hourly_max"},
    [STATUS_REPORTS_EXCEED_HOURLY_MAX] = {429, "reports_exceed_hourly_max"},
    [STATUS_CONFLICT] = {409, "conflict"},
    [STATUS_VALUE_REFUSED] = {422, "value_refused"},
};

int status_http(enum status status)
{
    return STATUSES[status].http;
}

const char *status_code(enum status status)
{
    return STATUSES[status].code;
}

enum status status_from_code(const char *code)
{
    enum status status = STATUS_OK;

    while (status < STATUS_COUNT && strcmp(STATUSES[status].code, code) != 0) {
        status++;
    }
    return status;
}

bool status_is_passing(enum status status)
{
    int http = STATUSES[status].http;

    return http == 429 || http == 503 || http == 504;
}
