/* When to try again after a failed attempt: longer each time, with jitter so that a pool of
 * workers doesn't come all at once. */
#ifndef CRUDDUR_DB_BACKOFF_H
#define CRUDDUR_DB_BACKOFF_H

#include <stdint.h>

enum { BACKOFF_FIRST_MS = 10, BACKOFF_MAX_MS = 160 };

struct backoff {
    int64_t next_us; /* not before this moment */
    int wait_ms;     /* 0 after a success */
};

/* Notes a failure at now_us; random is any number, its low bits the jitter: the wait is between
 * 3/4 and 5/4 of twice the one before, and max_ms * 5/4 at most. */
void backoff_failed(struct backoff *backoff, int64_t now_us, int max_ms, uint32_t random);

void backoff_succeeded(struct backoff *backoff);

#endif
