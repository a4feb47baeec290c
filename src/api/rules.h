/* The rules for values that people send, as pure functions. Lengths are in code points. */
#ifndef CRUDDUR_API_RULES_H
#define CRUDDUR_API_RULES_H

#include <stddef.h>

#include "api/status.h"

struct arena;

enum {
    MESSAGE_MAX_CHARS = 280,       /* of an activity */
    LONG_MESSAGE_MAX_CHARS = 1024, /* of a reply or a message */
    DISPLAY_NAME_MAX_CHARS = 255,
    BIO_MAX_CHARS = 1024,
    SEARCH_TERM_MAX_CHARS = 300,
    REASON_MAX_CHARS = 500, /* of a report */
    TIME_ZONE_MAX = 64,     /* bytes */
    DAYS_MAX = 366,         /* of growth; close_growth in sql/schema.sql keeps more */
    RULES_BROKEN_MAX = 8
};

/* The rules that a request broke, in the order in which they are reported. */
struct broken {
    size_t count;
    enum status rules[RULES_BROKEN_MAX];
};

void broken_add(struct broken *broken, enum status rule);

/* Each adds the rules that the value breaks to broken. NULL is a value that was not sent. Blank is
 * text for which utf8_is_blank() is true. */
void rule_message(const char *message, struct broken *broken);
void rule_long_message(const char *message, struct broken *broken);
void rule_display_name(const char *display_name, struct broken *broken); /* one line, too */
void rule_bio(const char *bio, struct broken *broken);
void rule_search_term(const char *term, struct broken *broken);
void rule_reason(const char *reason, struct broken *broken);  /* of a report */
void rule_time_zone(const char *name, struct broken *broken); /* its form only: PostgreSQL knows the
                                                                 names */
void rule_days(const char *days, struct broken *broken);      /* of growth, 1 to DAYS_MAX */
void rule_user_handle(const char *handle, struct broken *broken);
void rule_receiver_handle(const char *handle, struct broken *broken);

/* The microseconds since 1970 of an RFC 3339 time on a day that exists. For any other text adds
 * STATUS_UNTIL_INVALID and returns NULL. A time of NULL breaks no rule and gives NULL. Clients cut
 * times to milliseconds, so a time with one to three digits behind the second means the end of its
 * millisecond. */
const char *rule_time(const char *time, struct arena *arena, struct broken *broken);

/* The interval that a ttl word such as "7-days" stands for, in PostgreSQL's input syntax. For any
 * other word adds STATUS_TTL_BLANK and returns NULL. */
const char *rule_ttl(const char *ttl, struct broken *broken);

#endif
