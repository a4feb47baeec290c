/* All accesses are sequentially consistent but that of read_us. A worker that notes its write and
 * then sees that the prober is not to be woken may leave it asleep: the prober sets is_awaited before
 * it reads written_us for the last time. */
#include "shared/replicas.h"

#include <errno.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    READ_RESOLUTION_US = 100000 /* so that workers do not take the cache line from each other */
};

struct replicas *replicas_new(void)
{
    void *memory = mmap(NULL, sizeof(struct replicas), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED) {
        return NULL;
    }
    struct replicas *replicas = memory;
    replicas->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (replicas->wake_fd < 0) {
        int failure = errno;

        munmap(memory, sizeof(struct replicas));
        errno = failure;
        return NULL;
    }
    return replicas;
}

/* Adding 1 to an eventfd that is not full cannot fail, and one that is full wakes as well. */
static void wake_prober(const struct replicas *replicas)
{
    const uint64_t one = 1;
    ssize_t written = write(replicas->wake_fd, &one, sizeof one);

    (void)written;
}

static void raise_to(_Atomic int64_t *time_us, int64_t now_us)
{
    int64_t latest = atomic_load(time_us);

    while (latest < now_us && !atomic_compare_exchange_weak(time_us, &latest, now_us)) {
    }
}

void replicas_note_write(struct replicas *replicas, int64_t now_us, bool is_answered)
{
    if (is_answered) {
        raise_to(&replicas->acknowledged_us, now_us);
    }
    raise_to(&replicas->written_us, now_us);
    if (atomic_load(&replicas->is_awaited) && atomic_exchange(&replicas->is_awaited, false)) {
        wake_prober(replicas);
    }
}

void replicas_note_read(struct replicas *replicas, int64_t now_us)
{
    int64_t then_us = atomic_load_explicit(&replicas->read_us, memory_order_relaxed);

    if (now_us - then_us > READ_RESOLUTION_US) {
        atomic_store_explicit(&replicas->read_us, now_us, memory_order_relaxed);
    }
    if (now_us - then_us > REPLICAS_IDLE_MS * INT64_C(1000)) {
        wake_prober(replicas); /* the prober sleeps longer while there are none */
    }
}

/* The run is read again: an entry that is about to be of another server has no time first. */
static int64_t covered_by(const struct replicas *replicas, int64_t run)
{
    for (size_t i = 0; i < REPLICAS_MAX; i++) {
        const struct replica *replica = &replicas->list[i];

        if (run != 0 && atomic_load(&replica->run) == run) {
            int64_t covers_us = atomic_load(&replica->covers_us);

            return atomic_load(&replica->run) == run ? covers_us : 0;
        }
    }
    return 0;
}

enum replica_verdict replicas_judge(const struct replicas *replicas, int64_t run, int64_t now_us,
                                    int64_t bound_us)
{
    int64_t covers_us = covered_by(replicas, run);

    if (covers_us == 0) {
        return REPLICA_UNKNOWN;
    }
    if (covers_us < now_us - bound_us) {
        return REPLICA_LATE;
    }
    return covers_us > atomic_load(&replicas->written_us) ? REPLICA_GOOD : REPLICA_BEHIND;
}

int64_t replicas_age_us(const struct replicas *replicas, int64_t run, int64_t now_us)
{
    int64_t covers_us = covered_by(replicas, run);

    return covers_us > atomic_load(&replicas->acknowledged_us) ? now_us - covers_us : -1;
}

bool replicas_have_better(const struct replicas *replicas, int64_t run, int64_t now_us,
                          int64_t bound_us)
{
    int64_t acknowledged_us = atomic_load(&replicas->acknowledged_us);
    bool lacks_something = covered_by(replicas, run) <= acknowledged_us;
    int64_t latest_us = 0;

    for (size_t i = 0; i < REPLICAS_MAX; i++) {
        int64_t covers_us = atomic_load(&replicas->list[i].covers_us);

        latest_us = covers_us > latest_us ? covers_us : latest_us;
    }
    return latest_us >= now_us - bound_us || (lacks_something && latest_us > acknowledged_us);
}

int64_t replicas_lag_us(const struct replicas *replicas)
{
    int64_t least_us = 0;

    for (size_t i = 0; i < REPLICAS_MAX; i++) {
        int64_t lag_us = atomic_load(&replicas->list[i].lag_us);

        least_us = lag_us > 0 && (least_us == 0 || lag_us < least_us) ? lag_us : least_us;
    }
    return least_us;
}

void replicas_publish(struct replicas *replicas, int entry, int64_t run, int64_t covers_us,
                      int64_t lag_us)
{
    struct replica *replica = &replicas->list[entry];

    if (atomic_load(&replica->run) != run) {
        atomic_store(&replica->covers_us, 0);
        atomic_store(&replica->run, run);
    }
    atomic_store(&replica->covers_us, covers_us);
    atomic_store(&replica->lag_us, lag_us);
}

bool replicas_are_wanted(const struct replicas *replicas, int64_t now_us)
{
    return now_us - atomic_load_explicit(&replicas->read_us, memory_order_relaxed) <=
           REPLICAS_IDLE_MS * INT64_C(1000);
}

void replicas_invalidate(struct replicas *replicas)
{
    for (int i = 0; i < REPLICAS_MAX; i++) {
        replicas_publish(replicas, i, 0, 0, 0);
    }
}
