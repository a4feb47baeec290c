/* All accesses are sequentially consistent, except those of read_us. A worker that has noted its
 * write and then finds is_awaited false need not wake the prober: the prober sets is_awaited before
 * it reads written_us for the last time, so it sees the write before it sleeps. */
#include "shared/replicas.h"

#include <errno.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"

enum {
    READ_RESOLUTION_US = 100000, /* so that workers do not take the cache line from each other */
    XID_BITS = 48                /* the other 16 bits are the lowest of the write's number */
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

void replicas_note_write(struct replicas *replicas, int64_t now_us)
{
    int64_t latest = atomic_load(&replicas->written_us);

    while (latest < now_us &&
           !atomic_compare_exchange_weak(&replicas->written_us, &latest, now_us)) {
    }
    if (atomic_load(&replicas->is_awaited) && atomic_exchange(&replicas->is_awaited, false)) {
        wake_prober(replicas);
    }
}

static uint64_t tagged(uint64_t number, uint64_t xid)
{
    return number << XID_BITS | xid;
}

/* A write whose transaction is not known, or has too many bits, is stored with 0:
 * replicas_transactions() treats it as not known. */
void replicas_note_acknowledged(struct replicas *replicas, uint64_t xid)
{
    uint64_t number = atomic_fetch_add(&replicas->acknowledged, 1);

    if (xid >> XID_BITS != 0) {
        xid = 0;
    }
    atomic_store(&replicas->transactions[number % ACKNOWLEDGED_MAX], tagged(number, xid));
}

struct moment replicas_now(const struct replicas *replicas)
{
    return (struct moment){clock_us(), atomic_load(&replicas->acknowledged)};
}

int replicas_transactions(const struct replicas *replicas, uint64_t from, uint64_t until,
                          uint64_t *xids)
{
    if (until - from > ACKNOWLEDGED_MAX) {
        return -1;
    }
    for (uint64_t number = from; number < until; number++) {
        uint64_t found = atomic_load(&replicas->transactions[number % ACKNOWLEDGED_MAX]);
        uint64_t xid = found & ((UINT64_C(1) << XID_BITS) - 1);

        if (xid == 0 || found != tagged(number, xid)) {
            return -1;
        }
        xids[number - from] = xid;
    }
    return (int)(until - from);
}

void replicas_note_read(struct replicas *replicas, int64_t now_us)
{
    int64_t then_us = atomic_load_explicit(&replicas->read_us, memory_order_relaxed);

    if (now_us - then_us > READ_RESOLUTION_US) {
        atomic_store_explicit(&replicas->read_us, now_us, memory_order_relaxed);
    }
    if (now_us - then_us > REPLICAS_IDLE_MS * INT64_C(1000)) {
        wake_prober(replicas); /* the prober sleeps longer while there are no reads */
    }
}

static struct moment covered_by(const struct replica *replica)
{
    return (struct moment){atomic_load(&replica->covers_us), atomic_load(&replica->acknowledged)};
}

/* Reads the run again after the values, since an entry that changes to another server gets the time
 * 0 before the new run. */
static struct moment covered_in_run(const struct replicas *replicas, int64_t run)
{
    for (size_t i = 0; i < REPLICAS_MAX; i++) {
        const struct replica *replica = &replicas->list[i];

        if (run != 0 && atomic_load(&replica->run) == run) {
            struct moment covers = covered_by(replica);

            return atomic_load(&replica->run) == run ? covers : (struct moment){0};
        }
    }
    return (struct moment){0};
}

/* Whether a replica that covers this moment has all that was acknowledged. */
static bool has_all(const struct replicas *replicas, struct moment covers)
{
    return covers.us != 0 && covers.acknowledged >= atomic_load(&replicas->acknowledged);
}

enum replica_verdict replicas_judge(const struct replicas *replicas, int64_t run, int64_t now_us,
                                    int64_t bound_us)
{
    int64_t covers_us = covered_in_run(replicas, run).us;

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
    struct moment covers = covered_in_run(replicas, run);

    return has_all(replicas, covers) ? now_us - covers.us : -1;
}

bool replicas_have_better(const struct replicas *replicas, int64_t run, int64_t now_us,
                          int64_t bound_us)
{
    bool lacks_something = !has_all(replicas, covered_in_run(replicas, run));
    bool has_better = false;

    for (size_t i = 0; i < REPLICAS_MAX; i++) {
        struct moment covers = covered_by(&replicas->list[i]);

        has_better = has_better || covers.us >= now_us - bound_us ||
                     (lacks_something && has_all(replicas, covers));
    }
    return has_better;
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

void replicas_publish(struct replicas *replicas, int entry, int64_t run, struct moment covers,
                      int64_t lag_us)
{
    struct replica *replica = &replicas->list[entry];

    if (atomic_load(&replica->run) != run) {
        atomic_store(&replica->covers_us, 0);
        atomic_store(&replica->acknowledged, 0);
        atomic_store(&replica->run, run);
    }
    atomic_store(&replica->acknowledged, covers.acknowledged);
    atomic_store(&replica->covers_us, covers.us);
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
        replicas_publish(replicas, i, 0, (struct moment){0}, 0);
    }
}
