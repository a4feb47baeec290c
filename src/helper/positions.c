#include "helper/positions.h"

#include "db/server.h"

/* The position that was added `back` additions ago; 1: the newest. */
static const struct position *position_before(const struct positions *positions, size_t back)
{
    return &positions->ring[(positions->next + POSITIONS_MAX - back) % POSITIONS_MAX];
}

void positions_add(struct positions *positions, const struct server *primary, struct moment at)
{
    if (positions->system != primary->system || positions->timeline != primary->timeline) {
        positions->system = primary->system;
        positions->timeline = primary->timeline;
        positions->count = 0;
    }
    /* A later time of the same position replaces the earlier one, as it says more. */
    if (positions->count > 0 && position_before(positions, 1)->position == primary->position) {
        positions->next = (positions->next + POSITIONS_MAX - 1) % POSITIONS_MAX;
        positions->count--;
    }
    positions->ring[positions->next] = (struct position){at, primary->position};
    positions->next = (positions->next + 1) % POSITIONS_MAX;
    positions->count += positions->count < POSITIONS_MAX;
}

int64_t positions_newest_us(const struct positions *positions)
{
    return positions->count > 0 ? position_before(positions, 1)->at.us : 0;
}

bool positions_are_of(const struct positions *positions, const struct server *server)
{
    return positions->count > 0 && server->system == positions->system &&
           server->timeline == positions->timeline;
}

struct moment positions_covered(const struct positions *positions, const struct server *replica)
{
    for (size_t back = 1; back <= positions->count; back++) {
        const struct position *position = position_before(positions, back);

        if (position->position <= replica->position) {
            return position->at;
        }
    }
    return (struct moment){0};
}
