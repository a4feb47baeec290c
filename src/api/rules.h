/* The rules for what people send, as pure functions. Lengths are in code points. */
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

/* The rules that a request broke, in the order they are told. */
struct broken {
    size_t count;
    enum status rules[RULES_BROKEN_MAX];
};

void broken_add(struct broken *broken, enum status rule);

/* Each adds the rules that the value breaks to broken. NULL is a value that was not sent. Blank
 * is what utf8_is_blank says. */
void rule_message(const char *message, struct broken *broken);
void rule_long_message(const char *message, struct broken *broken);
void rule_display_name(const char *display_name, struct broken *broken); /* one line, too */
void rule_bio(const char *bio, struct broken *broken);
void rule_search_term(const char *term, struct broken *broken);
void rule_reason(const char *reason, struct broken *broken);  /* of a report */
void rule_time_zone(const char *name, struct broken *broken); /* its form only: PostgreSQL knows
                                                                 which there are */
void rule_days(const char *days, struct broken *broken);      /* of growth, 1 to DAYS_MAX */
void rule_user_handle(const char *handle, struct broken *broken);
void rule_receiver_handle(const char *handle, struct broken *broken);

/* The microseconds since 1970 of a time as RFC 3339 writes it, on a day that exists; NULL with
 * STATUS_UNTIL_INVALID added for what is none. NULL breaks no rule. Clients cut times to
 * milliseconds: one with one to three digits behind the second is the end of its millisecond. */
const char *rule_time(const char *time, struct arena *arena, struct broken *broken);

/* The interval that a ttl word such as "7-days" stands for, in PostgreSQL's input syntax; NULL with
 * STATUS_TTL_BLANK added for a word that is none. */
const char *rule_ttl(const char *ttl, struct broken *broken);

#endif
