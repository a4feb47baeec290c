/* Deadlines use the monotonic clock, which no administrator and no time server sets. The real time
 * is for the log only. Its text is kept until the second changes, as there may be thousands of
 * lines in one second. */
#include "base/clock.h"

#include <string.h>
#include <time.h>

int64_t clock_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_ms(void)
{
    return clock_us() / 1000;
}

void clock_text(char text[static CLOCK_TEXT_SIZE])
{
    static time_t last = -1; /* there are many calls in one second */
    static char last_text[CLOCK_TEXT_SIZE];
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    if (now.tv_sec != last) {
        struct tm utc;

        gmtime_r(&now.tv_sec, &utc);
        strftime(last_text, sizeof last_text, "%Y-%m-%dT%H:%M:%S.000Z", &utc);
        last = now.tv_sec;
    }
    memcpy(text, last_text, CLOCK_TEXT_SIZE);
    char *milliseconds = text + sizeof "2026-01-01T00:00:00." - 1;
    milliseconds[0] = (char)('0' + now.tv_nsec / 100000000);
    milliseconds[1] = (char)('0' + now.tv_nsec / 10000000 % 10);
    milliseconds[2] = (char)('0' + now.tv_nsec / 1000000 % 10);
}

/* For poll and epoll_wait: never negative, as a negative timeout means for ever. */
int clock_left_ms(int64_t time_ms)
{
    int64_t left = time_ms - clock_ms();

    return left > 0 ? (int)left : 0;
}

/* A negative wait is for ever. */
int clock_sooner(int one_ms, int other_ms)
{
    return one_ms < 0 || (other_ms >= 0 && other_ms < one_ms) ? other_ms : one_ms;
}
