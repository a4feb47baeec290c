/* A score has one writer, the worker in its slot; the master sets it before the start of that
 * worker and after its end. The readers are the master and the worker that answers /metrics. state
 * is stored last, with release order, so that its reader sees the route and the time that belong
 * to it. */
#include "shared/scoreboard.h"

#include <stddef.h>
#include <sys/mman.h>
#include <time.h>

#include "base/clock.h"

struct scoreboard *scoreboard_new(void)
{
    void *memory = mmap(NULL, sizeof(struct scoreboard), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED) {
        return NULL;
    }
    struct scoreboard *scoreboard = memory;
    scoreboard->started_s = (int64_t)time(NULL);
    return scoreboard;
}

void scoreboard_take(struct scoreboard *scoreboard, size_t slot)
{
    struct score *score = &scoreboard->scores[slot];

    atomic_store(&score->open_connections, 0);
    atomic_store(&score->streams.open, 0);
    for (int lane = 0; lane < LANE_WORKER_COUNT; lane++) {
        atomic_store(&score->sessions[lane].open, 0);
    }
    score_set(score, WORKER_STARTING, NULL);
    if (atomic_load(&scoreboard->slots_used) <= slot) {
        atomic_store(&scoreboard->slots_used, slot + 1);
    }
}

void scoreboard_free(struct scoreboard *scoreboard, size_t slot)
{
    claims_release_all(&scoreboard->claims.slow, slot);
    claims_release_all(&scoreboard->claims.writes, slot);
    score_set(&scoreboard->scores[slot], WORKER_NONE, NULL);
}

bool scoreboard_has_sessions(const void *scoreboard)
{
    const struct scoreboard *board = scoreboard;
    int open = 0;

    for (size_t i = 0; i < atomic_load(&board->slots_used); i++) {
        const struct score *score = &board->scores[i];
        int state = atomic_load(&score->state);

        for (int lane = 0; lane < LANE_REPLICA; lane++) {
            open += state == WORKER_IDLE || state == WORKER_BUSY
                        ? atomic_load(&score->sessions[lane].open)
                        : 0;
        }
    }
    return open > 0 || atomic_load(&board->has_old_sessions);
}

int scoreboard_streams(const struct scoreboard *scoreboard)
{
    int open = 0;

    for (size_t i = 0; i < atomic_load(&scoreboard->slots_used); i++) {
        const struct score *score = &scoreboard->scores[i];

        /* The count of a worker that was killed stays until its slot has another worker. */
        open += atomic_load(&score->state) != WORKER_NONE ? atomic_load(&score->streams.open) : 0;
    }
    return open;
}

void score_set(struct score *score, enum worker_state state, const char *route)
{
    atomic_store_explicit(&score->route, route, memory_order_relaxed);
    atomic_store_explicit(&score->since_us, clock_us(), memory_order_relaxed);
    atomic_store_explicit(&score->state, state, memory_order_release);
}

void score_request(struct score *score, const char *route)
{
    if (atomic_load_explicit(&score->state, memory_order_relaxed) != WORKER_DRAINING) {
        score_set(score, WORKER_BUSY, route);
    }
}

void score_turn(struct score *score, bool is_busy)
{
    if (is_busy) {
        atomic_store_explicit(&score->since_us, clock_us(), memory_order_relaxed);
    } else if (atomic_load_explicit(&score->state, memory_order_relaxed) == WORKER_BUSY) {
        score_set(score, WORKER_IDLE, NULL);
    }
}
