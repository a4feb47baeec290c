/* The order of the stores is the contract. A worker counts its write after the commit and before
 * the response; the watcher publishes a snapshot before the time of the poll that saw it; and
 * readers load the time first. So a reader that finds a recent poll also finds everything that this
 * poll saw. All accesses are sequentially consistent, except the loads in note_time(): the times
 * that it stores may be late. */
#include "home/mark.h"

#include <linux/futex.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "home/snapshot.h"

/* Between two updates of requested_us. With a store for each request the workers would take the
 * cache line from each other. */
enum {
    REQUEST_RESOLUTION_US = 100000,
    REST_S = 1 /* until a resting watcher looks whether it was woken */
};

struct mark *mark_new(void)
{
    void *memory =
        mmap(NULL, sizeof(struct mark), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    return memory == MAP_FAILED ? NULL : memory;
}

void mark_add_write(struct mark *mark)
{
    atomic_fetch_add(&mark->writes, 1);
}

void mark_publish(struct mark *mark, const struct snapshot *latest)
{
    /* It is odd already if a watcher was killed in this function. */
    uint64_t odd = atomic_load(&mark->sequence) | 1;

    atomic_store(&mark->sequence, odd);
    atomic_store(&mark->server, latest->server);
    atomic_store(&mark->xmax, latest->xmax);
    atomic_store(&mark->sequence, odd + 1);
}

void mark_set_polled(struct mark *mark, int64_t began_us)
{
    atomic_store(&mark->polled_us, began_us);
}

void mark_divide(struct mark *mark)
{
    atomic_store(&mark->is_divided, true);
    atomic_store(&mark->polled_us, 0);
}

void mark_unite(struct mark *mark)
{
    if (atomic_load(&mark->is_divided)) {
        mark_add_write(mark); /* for all that were counted elsewhere: no earlier fill is joined */
        atomic_store(&mark->is_divided, false);
    }
}

struct mark_view mark_read(const struct mark *mark)
{
    struct mark_view view = {0};

    /* The order of the loads matters, and the order within an initialiser is not defined. */
    view.polled_us = atomic_load(&mark->polled_us);
    view.is_divided = atomic_load(&mark->is_divided);
    view.writes = atomic_load(&mark->writes);
    view.sequence = atomic_load(&mark->sequence);
    view.server = atomic_load(&mark->server);
    view.xmax = atomic_load(&mark->xmax);
    view.is_consistent = view.sequence % 2 == 0 && atomic_load(&mark->sequence) == view.sequence;
    return view;
}

/* Stores the time in one of the mark's times, at most once in REQUEST_RESOLUTION_US. */
static void note_time(_Atomic int64_t *time_us, int64_t now_us)
{
    int64_t then_us = atomic_load_explicit(time_us, memory_order_relaxed);

    if (now_us - then_us > REQUEST_RESOLUTION_US) {
        atomic_store(time_us, now_us);
    }
}

/* Called by a worker that has stored a time and then read sleep; the watcher stores sleep and then
 * reads the times. So at least one of the two sees what the other stored, and no wake-up is
 * lost. */
static void wake(struct mark *mark)
{
    atomic_store(&mark->sleep, MARK_AWAKE);
    syscall(SYS_futex, &mark->sleep, FUTEX_WAKE, 1, NULL, NULL, 0);
}

void mark_request(struct mark *mark, int64_t now_us)
{
    note_time(&mark->requested_us, now_us);
    if (atomic_load(&mark->sleep) != MARK_AWAKE) {
        wake(mark);
    }
}

void mark_stream(struct mark *mark, int64_t now_us)
{
    note_time(&mark->streamed_us, now_us);
    if (atomic_load(&mark->sleep) == MARK_RESTING) {
        wake(mark);
    }
}

static bool is_long_ago(const _Atomic int64_t *time_us)
{
    return clock_us() - atomic_load(time_us) > MARK_IDLE_MS * INT64_C(1000);
}

bool mark_is_requested(const struct mark *mark)
{
    return !is_long_ago(&mark->requested_us);
}

bool mark_is_idle(const struct mark *mark)
{
    return is_long_ago(&mark->requested_us) && is_long_ago(&mark->streamed_us);
}

/* A worker may be killed after it has stored MARK_AWAKE and before it wakes the watcher. No later
 * one would do that, so the watcher also looks by itself. */
void mark_rest(struct mark *mark)
{
    const struct timespec longest = {.tv_sec = REST_S};

    atomic_store(&mark->sleep, MARK_RESTING);
    while (atomic_load(&mark->sleep) == MARK_RESTING && mark_is_idle(mark)) {
        syscall(SYS_futex, &mark->sleep, FUTEX_WAIT, MARK_RESTING, &longest, NULL, 0);
    }
    atomic_store(&mark->sleep, MARK_AWAKE);
}

void mark_pause(struct mark *mark, int ms)
{
    const struct timespec longest = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};

    atomic_store(&mark->sleep, MARK_PAUSING);
    if (!mark_is_requested(mark)) {
        syscall(SYS_futex, &mark->sleep, FUTEX_WAIT, MARK_PAUSING, &longest, NULL, 0);
    }
    atomic_store(&mark->sleep, MARK_AWAKE);
}
