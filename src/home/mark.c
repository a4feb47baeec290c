#include "home/mark.h"

#include <linux/futex.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"

struct feed_mark *feed_mark_new(void)
{
    void *memory = mmap(NULL, sizeof(struct feed_mark), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    return memory == MAP_FAILED ? NULL : memory;
}

void feed_mark_written(struct feed_mark *mark)
{
    atomic_fetch_add(&mark->generation, 1);
}

void feed_mark_blind(struct feed_mark *mark)
{
    atomic_store(&mark->looked_us, 0);
}

void feed_mark_changed(struct feed_mark *mark, const struct snapshot *latest)
{
    /* Odd already after a watcher's death in here. */
    uint64_t meanwhile = atomic_load(&mark->changes) | 1;

    atomic_store(&mark->changes, meanwhile);
    atomic_store(&mark->server, latest->server);
    atomic_store(&mark->xmax, latest->xmax);
    atomic_store(&mark->changes, meanwhile + 1);
}

/* Between two notes of requests: a store for each would have the workers take the cache line from each
 * other. */
enum { NOTE_WANTED_US = 100000 };

void feed_mark_wanted(struct feed_mark *mark, int64_t now_us)
{
    if (now_us - atomic_load_explicit(&mark->wanted_us, memory_order_relaxed) > NOTE_WANTED_US) {
        atomic_store(&mark->wanted_us, now_us);
    }
    /* Looked at behind the store; feed_mark_rest does both the other way round, so that one of the two
     * sees the other. */
    if (atomic_load(&mark->is_resting) != 0) {
        atomic_store(&mark->is_resting, 0);
        syscall(SYS_futex, &mark->is_resting, FUTEX_WAKE, 1, NULL, NULL, 0);
    }
}

bool feed_mark_is_idle(const struct feed_mark *mark)
{
    return clock_us() - atomic_load(&mark->wanted_us) > FEED_REST_MS * INT64_C(1000);
}

void feed_mark_rest(struct feed_mark *mark)
{
    atomic_store(&mark->is_resting, 1);
    while (atomic_load(&mark->is_resting) != 0 && feed_mark_is_idle(mark)) {
        syscall(SYS_futex, &mark->is_resting, FUTEX_WAIT, 1, NULL, NULL, 0);
    }
    atomic_store(&mark->is_resting, 0);
}
