/* The result of an operation: success, or the reason of a failure. This enum has the reasons that
 * the HTTP floor, the identity floor and the database floor report. The API continues it with the
 * reasons of its own rules (api/status.h), which also has each reason's HTTP status and code. */
#ifndef CRUDDUR_BASE_STATUS_H
#define CRUDDUR_BASE_STATUS_H

enum status {
    STATUS_OK,
    /* The request. */
    STATUS_MALFORMED_REQUEST,
    STATUS_UNAUTHENTICATED,
    STATUS_SIGNATURE_INVALID,
    STATUS_SIGNATURE_EXPIRED,
    STATUS_NOT_FOUND,
    STATUS_METHOD_NOT_ALLOWED,
    STATUS_REQUEST_TIMEOUT,
    STATUS_URI_TOO_LONG,
    STATUS_NOT_IMPLEMENTED,
    STATUS_INTERNAL,
    STATUS_LIMIT_INVALID,
    STATUS_CURSOR_INVALID,
    /* The body. */
    STATUS_BODY_TRUNCATED,
    STATUS_BODY_NOT_UTF8,
    STATUS_BODY_NOT_JSON,
    STATUS_BODY_TOO_LARGE,
    STATUS_CONTENT_ENCODING_UNSUPPORTED,
    STATUS_CONTENT_TYPE_UNSUPPORTED,
    /* The services that cruddurd depends on. */
    STATUS_KEYS_UNAVAILABLE,
    STATUS_DATABASE_UNAVAILABLE,
    STATUS_DATABASE_TIMEOUT,
    STATUS_TOO_MANY_REQUESTS,
    STATUS_CONFLICT,
    STATUS_VALUE_REFUSED,
    STATUS_COMMON_COUNT
};

#endif
