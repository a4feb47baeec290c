#include "daemon/scoreboard.h"

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

void scoreboard_take(struct scoreboard *scoreboard, size_t place)
{
    atomic_store(&scoreboard->scores[place].open_connections, 0);
    score_set(&scoreboard->scores[place], WORKER_STARTING, NULL);
    if (atomic_load(&scoreboard->places) <= place) {
        atomic_store(&scoreboard->places, place + 1);
    }
}

void score_set(struct score *score, enum worker_state state, const char *route)
{
    atomic_store_explicit(&score->route, route, memory_order_relaxed);
    atomic_store_explicit(&score->since_us, clock_us(), memory_order_relaxed);
    atomic_store_explicit(&score->state, state, memory_order_release);
}

void score_turn(struct score *score, bool is_busy)
{
    if (is_busy) {
        atomic_store_explicit(&score->since_us, clock_us(), memory_order_relaxed);
    } else if (atomic_load_explicit(&score->state, memory_order_relaxed) == WORKER_BUSY) {
        score_set(score, WORKER_IDLE, NULL);
    }
}
