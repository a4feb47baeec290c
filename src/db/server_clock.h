/* What a process knows of the database server's clock, from the times that the server has
 * reported. The two clocks need not agree: the server's clock may be that of another machine, and
 * may be set. */
#ifndef CRUDDUR_DB_SERVER_CLOCK_H
#define CRUDDUR_DB_SERVER_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

enum {
    SERVER_CLOCK_RECENT_S = 60,  /* an older sample is to be renewed */
    SERVER_CLOCK_DRIFT_PPM = 500 /* NTP's adjustments and a bad crystal together */
};

/* Zeroed: nothing is known. Times are in microseconds: local ones are monotonic, the server's are
 * since 1970. */
struct server_clock {
    bool is_known;
    int64_t ahead_us; /* the server's clock minus the local one is no less than this */
    int64_t taken_us;
};

/* The server's clock showed said_us at some moment after sent_us and before received_us. The bound
 * that was known stays if it is more exact, unless the two contradict each other: then the
 * server's clock was set back. said_us is what a server has sent: any number. */
void server_clock_take(struct server_clock *clock, int64_t sent_us, int64_t received_us,
                       int64_t said_us);

bool server_clock_is_recent(const struct server_clock *clock, int64_t now_us);

/* A lower bound of the time that the server's clock shows at local_us. */
int64_t server_clock_at_least(const struct server_clock *clock, int64_t local_us);

#endif
