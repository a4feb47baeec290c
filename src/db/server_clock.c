/* A sample says: at some moment between sent and received the server's clock showed said. So the
 * difference of the clocks is between said - received and said - sent. The lower bound is kept,
 * because not_after must not be later than the deadline. The bound gets worse with time, by the
 * drift that the two clocks may have. */
#include "db/server_clock.h"

/* The sum of this time and a local one is no overflow. */
static const int64_t SAID_MAX_US = INT64_MAX / 2;

static int64_t bounded(int64_t said_us)
{
    return said_us < 0 ? 0 : said_us > SAID_MAX_US ? SAID_MAX_US : said_us;
}

/* By how much the two clocks may have moved apart since a sample. */
static int64_t drift_us(const struct server_clock *clock, int64_t local_us)
{
    int64_t age_us = local_us - clock->taken_us;

    return age_us > 0 ? age_us / 1000000 * SERVER_CLOCK_DRIFT_PPM +
                            age_us % 1000000 * SERVER_CLOCK_DRIFT_PPM / 1000000 + 1
                      : 0;
}

void server_clock_take(struct server_clock *clock, int64_t sent_us, int64_t received_us,
                       int64_t said_us)
{
    said_us = bounded(said_us);
    int64_t least_us = said_us - received_us, most_us = said_us - sent_us;

    if (clock->is_known) {
        int64_t known_us = clock->ahead_us - drift_us(clock, received_us);

        if (least_us <= known_us && known_us <= most_us) {
            /* The known bound is the better one, and the sample confirms it. */
            least_us = known_us;
        }
    }
    *clock = (struct server_clock){.is_known = true, .ahead_us = least_us, .taken_us = received_us};
}

/* An old sample is still right, but its bound has become worse by the drift. */
bool server_clock_is_recent(const struct server_clock *clock, int64_t now_us)
{
    return clock->is_known && now_us - clock->taken_us < SERVER_CLOCK_RECENT_S * INT64_C(1000000);
}

int64_t server_clock_at_least(const struct server_clock *clock, int64_t local_us)
{
    return local_us + clock->ahead_us - drift_us(clock, local_us);
}
