/* The pause doubles with each failure up to a limit that the caller gives, because the limit
 * depends on whether the outage is known to last. The jitter of 75 to 125 % keeps the workers,
 * which lose their sessions at the same moment, from connecting at the same moment. */
#include "db/backoff.h"

/* random is given by the caller, so that a test knows the result. */
void backoff_failed(struct backoff *backoff, int64_t now_us, int max_ms, uint32_t random)
{
    int64_t jitter_percent = 75 + random % 51;

    backoff->wait_ms = backoff->wait_ms == 0 ? BACKOFF_FIRST_MS : backoff->wait_ms * 2;
    if (backoff->wait_ms > max_ms) {
        backoff->wait_ms = max_ms;
    }
    backoff->next_us = now_us + backoff->wait_ms * jitter_percent * 10;
}

void backoff_succeeded(struct backoff *backoff)
{
    *backoff = (struct backoff){0};
}
