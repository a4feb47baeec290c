#include "daemon/scoreboard.h"

#include <stddef.h>
#include <sys/mman.h>

#include "base/clock.h"

struct scoreboard *scoreboard_new(void)
{
    void *memory = mmap(NULL, sizeof(struct scoreboard), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    return memory == MAP_FAILED ? NULL : memory;
}

void score_reset(struct score *score)
{
    atomic_store(&score->requests, 0);
    atomic_store(&score->failures, 0);
    atomic_store(&score->connections, 0);
    score_set(score, WORKER_STARTING, NULL);
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
