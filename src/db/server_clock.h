/* What a process knows of the database server's clock, by the times at which it asked for it.
 * The two clocks need not agree: the server's may be another machine's, and may be set. */
#ifndef CRUDDUR_DB_SERVER_CLOCK_H
#define CRUDDUR_DB_SERVER_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

enum {
    SERVER_CLOCK_RECENT_S = 60,  /* after so long a sample is to be renewed */
    SERVER_CLOCK_DRIFT_PPM = 500 /* as much as NTP's adjustments and a bad crystal come to */
};

/* Zeroed it knows nothing. Times are in microseconds: local ones are monotonic, the server's are
 * since 1970. */
struct server_clock {
    bool is_known;
    int64_t ahead_us; /* the server's clock minus the local one is no less than this */
    int64_t taken_us;
};

/* The server read its clock after sent_us and before received_us. What was known stays if it is
 * more exact, unless the two contradict each other: then the server's clock was set back. */
void server_clock_take(struct server_clock *clock, int64_t sent_us, int64_t received_us,
                       int64_t said_us);

bool server_clock_is_recent(const struct server_clock *clock, int64_t now_us);

/* A time that the server's clock shows at local_us at the earliest. */
int64_t server_clock_at_least(const struct server_clock *clock, int64_t local_us);

#endif
