/* One invocation of the function, from its event to its answer and its line in the log. */
#ifndef CRUDDUR_LAMBDA_INVOCATION_H
#define CRUDDUR_LAMBDA_INVOCATION_H

#include <stdint.h>

#include "lambda/runtime.h"

struct database;
struct environment;
struct json;

enum {
    INVOCATION_RESERVE_MS = 100, /* kept from an invocation's time, for its answer */
    INVOCATION_TRIGGER_SIZE = 64
};

/* How long the database may take: at most max_ms; 0 if the deadline has passed. deadline_ms and
 * now_ms are Unix times in ms; a deadline of 0 means none. */
int invocation_time_ms(int max_ms, int64_t deadline_ms, int64_t now_ms);

/* Writes the event's triggerSource in a form that may be logged. A text that is no trigger's name
 * may be anything, even an address, and becomes "other"; without a triggerSource it is "none". */
void invocation_trigger(const struct json *event, char trigger[static INVOCATION_TRIGGER_SIZE]);

/* Does what the event asks for, answers the invocation and logs it. */
enum runtime_verdict invocation_handle(const struct invocation *invocation,
                                       const struct environment *environment,
                                       struct database *database, struct runtime *runtime);

#endif
