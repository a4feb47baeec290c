/* What can come of an operation. Every way a request can fail is one row of one table: the HTTP
 * status it is answered with and the code its client is told. */
#ifndef CRUDDUR_BASE_STATUS_H
#define CRUDDUR_BASE_STATUS_H

#include <stdbool.h>

enum status {
    STATUS_OK,
    /* The request as such. */
    STATUS_MALFORMED_REQUEST,
    STATUS_UNAUTHENTICATED,
    STATUS_SIGNATURE_INVALID,
    STATUS_SIGNATURE_EXPIRED,
    STATUS_FORBIDDEN,
    STATUS_USER_NOT_REGISTERED,
    STATUS_NOT_YOURS,
    STATUS_USER_POOL_MISMATCH,
    STATUS_NOT_FOUND,
    STATUS_METHOD_NOT_ALLOWED,
    STATUS_REQUEST_TIMEOUT,
    STATUS_URI_TOO_LONG,
    STATUS_NOT_IMPLEMENTED,
    STATUS_INTERNAL,
    /* The body. */
    STATUS_BODY_TRUNCATED,
    STATUS_BODY_NOT_UTF8,
    STATUS_BODY_NOT_JSON,
    STATUS_BODY_TOO_LARGE,
    STATUS_CONTENT_TYPE_UNSUPPORTED,
    /* The rules. */
    STATUS_TTL_BLANK,
    STATUS_USER_HANDLE_BLANK,
    STATUS_MESSAGE_BLANK,
    STATUS_MESSAGE_EXCEED_MAX_CHARS,
    STATUS_MESSAGE_EXCEED_MAX_CHARS_1024,
    STATUS_DISPLAY_NAME_BLANK,
    STATUS_DISPLAY_NAME_EXCEED_MAX_CHARS,
    STATUS_BIO_EXCEED_MAX_CHARS,
    STATUS_RECEIVER_HANDLE_BLANK,
    STATUS_MESSAGE_GROUP_UUID_BLANK,
    STATUS_USER_NOT_FOUND,
    STATUS_RECEIVER_NOT_FOUND,
    STATUS_RECEIVER_IS_SENDER,
    STATUS_FOLLOWED_IS_FOLLOWER,
    STATUS_REPLY_EXPIRES_WITH_PARENT,
    STATUS_UNTIL_INVALID,
    STATUS_IDEMPOTENCY_KEY_INVALID,
    STATUS_IDEMPOTENCY_KEY_REUSED,
    STATUS_TRIGGER_SOURCE_BLANK,
    STATUS_COGNITO_USER_ID_BLANK,
    STATUS_COGNITO_USER_ID_INVALID,
    STATUS_USER_HANDLE_INVALID,
    STATUS_EMAIL_BLANK,
    STATUS_EMAIL_INVALID,
    STATUS_HANDLE_TAKEN,
    STATUS_EMAIL_TAKEN,
    STATUS_LIMIT_INVALID,
    STATUS_CURSOR_INVALID,
    /* What we depend on. */
    STATUS_KEYS_UNAVAILABLE,
    STATUS_DATABASE_UNAVAILABLE,
    STATUS_DATABASE_TIMEOUT,
    STATUS_CONFLICT,
    STATUS_VALUE_REFUSED,
    STATUS_COUNT
};

int status_http(enum status status);         /* 200, 404 … */
const char *status_code(enum status status); /* "ok", "not_found" … */

/* The status with this code, or STATUS_COUNT. */
enum status status_from_code(const char *code);

/* Whether the same request may succeed a moment later, so that the answer carries Retry-After. */
bool status_is_passing(enum status status);

/* The reason phrase of an HTTP status code (RFC 9110). */
const char *status_reason(int http);

#endif
