/* The reasons for which the API refuses a request, and the table of all reasons: one row for each
 * has the HTTP status and the code that the client gets. The values continue enum status of
 * base/status.h, so that a variable of that type holds any of them and there is one error type on
 * the request path. */
#ifndef CRUDDUR_API_STATUS_H
#define CRUDDUR_API_STATUS_H

#include <stdbool.h>

#include "base/status.h"

/* One number for each reason, without gaps. These are macros because C has no way to continue an
 * enum, and a constant of a second enum is not accepted for the first one (-Wenum-conversion). */
#define STATUS_OF_API(number) ((enum status)(STATUS_COMMON_COUNT + (number)))

/* The caller, or the row that the request names. */
#define STATUS_FORBIDDEN STATUS_OF_API(0)
#define STATUS_USER_NOT_REGISTERED STATUS_OF_API(1)
#define STATUS_NOT_YOURS STATUS_OF_API(2)
#define STATUS_USER_POOL_MISMATCH STATUS_OF_API(3)
#define STATUS_ACTIVITY_DELETED STATUS_OF_API(4)
#define STATUS_CURSOR_EXPIRED STATUS_OF_API(5)
#define STATUS_USER_NOT_FOUND STATUS_OF_API(6)

/* The rules for a value. */
#define STATUS_TTL_BLANK STATUS_OF_API(7)
#define STATUS_USER_HANDLE_BLANK STATUS_OF_API(8)
#define STATUS_MESSAGE_BLANK STATUS_OF_API(9)
#define STATUS_MESSAGE_EXCEED_MAX_CHARS STATUS_OF_API(10)
#define STATUS_MESSAGE_EXCEED_MAX_CHARS_1024 STATUS_OF_API(11)
#define STATUS_DISPLAY_NAME_BLANK STATUS_OF_API(12)
#define STATUS_DISPLAY_NAME_EXCEED_MAX_CHARS STATUS_OF_API(13)
#define STATUS_DISPLAY_NAME_INVALID STATUS_OF_API(14)
#define STATUS_BIO_EXCEED_MAX_CHARS STATUS_OF_API(15)
#define STATUS_BIO_INVALID STATUS_OF_API(16)
#define STATUS_RECEIVER_HANDLE_BLANK STATUS_OF_API(17)
#define STATUS_MESSAGE_GROUP_UUID_BLANK STATUS_OF_API(18)
#define STATUS_RECEIVER_NOT_FOUND STATUS_OF_API(19)
#define STATUS_RECEIVER_IS_SENDER STATUS_OF_API(20)
#define STATUS_FOLLOWED_IS_FOLLOWER STATUS_OF_API(21)
#define STATUS_REPLY_EXPIRES_WITH_PARENT STATUS_OF_API(22)
#define STATUS_UNTIL_INVALID STATUS_OF_API(23)
#define STATUS_IDEMPOTENCY_KEY_INVALID STATUS_OF_API(24)
#define STATUS_IDEMPOTENCY_KEY_REUSED STATUS_OF_API(25)
#define STATUS_TRIGGER_SOURCE_BLANK STATUS_OF_API(26)
#define STATUS_COGNITO_USER_ID_BLANK STATUS_OF_API(27)
#define STATUS_COGNITO_USER_ID_INVALID STATUS_OF_API(28)
#define STATUS_USER_HANDLE_INVALID STATUS_OF_API(29)
#define STATUS_EMAIL_BLANK STATUS_OF_API(30)
#define STATUS_EMAIL_INVALID STATUS_OF_API(31)
#define STATUS_HANDLE_TAKEN STATUS_OF_API(32)
#define STATUS_EMAIL_TAKEN STATUS_OF_API(33)
#define STATUS_SEARCH_TERM_BLANK STATUS_OF_API(34)
#define STATUS_SEARCH_TERM_EXCEED_MAX_CHARS STATUS_OF_API(35)
#define STATUS_TIME_ZONE_UNKNOWN STATUS_OF_API(36)
#define STATUS_ORDER_INVALID STATUS_OF_API(37)
#define STATUS_WITH_INVALID STATUS_OF_API(38)

/* The limits for an amount. */
#define STATUS_REPLIES_EXCEED_MAX STATUS_OF_API(39)
#define STATUS_POSTS_EXCEED_HOURLY_MAX STATUS_OF_API(40)
#define STATUS_MESSAGES_EXCEED_HOURLY_MAX STATUS_OF_API(41)
#define STATUS_FOLLOWS_EXCEED_MAX STATUS_OF_API(42)
#define STATUS_GROWTH_BEHIND STATUS_OF_API(43)

#define STATUS_STREAMS_EXCEED_MAX STATUS_OF_API(44)
/* A row that was deleted. */
#define STATUS_MESSAGE_DELETED STATUS_OF_API(45)

/* Reports, and suspended users. */
#define STATUS_USER_SUSPENDED STATUS_OF_API(46)
#define STATUS_REASON_BLANK STATUS_OF_API(47)
#define STATUS_REASON_EXCEED_MAX_CHARS STATUS_OF_API(48)
#define STATUS_REPORTED_IS_REPORTER STATUS_OF_API(49)
#define STATUS_REPORTS_EXCEED_HOURLY_MAX STATUS_OF_API(50)

/* A value of growth. */
#define STATUS_DAYS_INVALID STATUS_OF_API(51)

/* Blocks and mutes. */
#define STATUS_BLOCKED_IS_BLOCKER STATUS_OF_API(52)
#define STATUS_BLOCKS_EXCEED_MAX STATUS_OF_API(53)
#define STATUS_MUTED_IS_MUTER STATUS_OF_API(54)
#define STATUS_MUTES_EXCEED_MAX STATUS_OF_API(55)

/* The handle that confirms an account's deletion is another user's. */
#define STATUS_USER_HANDLE_MISMATCH STATUS_OF_API(56)

#define STATUS_COUNT STATUS_OF_API(57)

int status_http(enum status status);         /* 200, 404 … */
const char *status_code(enum status status); /* "ok", "not_found" … */

/* The status with this code, or STATUS_COUNT. */
enum status status_from_code(const char *code);

/* True: the same request may succeed a moment later, and the response has a Retry-After header. */
bool status_is_passing(enum status status);

#endif
