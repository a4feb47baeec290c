/* Time: monotonic for durations and deadlines, wall clock only for what people read. */
#ifndef CRUDDUR_BASE_CLOCK_H
#define CRUDDUR_BASE_CLOCK_H

#include <stdint.h>

int64_t clock_us(void); /* monotonic microseconds */
int64_t clock_ms(void); /* monotonic milliseconds */

/* Milliseconds until a time of clock_ms, 0 once that time has passed. */
int clock_left_ms(int64_t time_ms);

/* The shorter of two timeouts in ms; a negative one is for ever. */
int clock_sooner(int one_ms, int other_ms);

enum { CLOCK_TEXT_SIZE = sizeof "2026-01-01T00:00:00.000Z" };

/* Now, UTC, RFC 3339 with milliseconds. */
void clock_text(char text[static CLOCK_TEXT_SIZE]);

#endif
