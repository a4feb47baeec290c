/* When to try again after a failed attempt. The pause grows with each failure, and has jitter so
 * that the workers of a pool do not all connect at the same moment. */
#ifndef CRUDDUR_DB_BACKOFF_H
#define CRUDDUR_DB_BACKOFF_H

#include <stdint.h>

enum { BACKOFF_FIRST_MS = 10, BACKOFF_MAX_MS = 160 };

struct backoff {
    int64_t next_us; /* the next attempt is not made before this moment */
    int wait_ms;     /* 0 after a success */
};

/* Notes a failure at now_us. random: any number; the jitter is computed from it. The wait is
 * between 3/4 and 5/4 of twice the previous wait_ms, and at most 5/4 of max_ms. */
void backoff_failed(struct backoff *backoff, int64_t now_us, int max_ms, uint32_t random);

void backoff_succeeded(struct backoff *backoff);

#endif
