/* The writer stores written with release order and the reader loads it with acquire order, so that
 * the reader sees all bytes of a span that counts. With taken it is the other way round, so that no
 * span is overwritten while it is still read. The memory is a file without a name, whose pages
 * exist once they are touched. */
#include "shared/spans.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* "spans", and the size of the whole memory, which differs if the size of a span or a ring does. */
static const uint64_t LAYOUT = UINT64_C(0x7370616e73) << 24 ^ sizeof(struct spans);

_Static_assert(sizeof(struct span) == 256, "without gaps, so that LAYOUT says all of it");

static struct spans *map_spans(int fd)
{
    void *memory = mmap(NULL, sizeof(struct spans), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    return memory == MAP_FAILED ? NULL : memory;
}

struct spans *spans_new(int *fd)
{
    *fd = memfd_create("cruddur-spans", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    /* Sealed, so that no process can shorten it, which would end the others with SIGBUS. */
    bool is_made = *fd >= 0 && ftruncate(*fd, sizeof(struct spans)) == 0 &&
                   fcntl(*fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0;
    struct spans *spans = is_made ? map_spans(*fd) : NULL;

    if (spans != NULL) {
        spans->layout = LAYOUT;
    } else if (*fd >= 0) {
        int failure = errno;

        close(*fd);
        *fd = -1;
        errno = failure;
    }
    return spans;
}

struct spans *spans_attach(int fd)
{
    struct stat about;

    if (fstat(fd, &about) != 0) {
        return NULL;
    }
    if (about.st_size != sizeof(struct spans)) {
        errno = EINVAL;
        return NULL;
    }
    struct spans *spans = map_spans(fd);
    if (spans != NULL && spans->layout != LAYOUT) {
        munmap(spans, sizeof *spans);
        errno = EINVAL;
        return NULL;
    }
    return spans;
}

void spans_take(struct spans *spans, size_t slot)
{
    if (atomic_load(&spans->rings_used) <= slot) {
        atomic_store(&spans->rings_used, slot + 1);
    }
}

uint64_t spans_dropped(const struct spans *spans)
{
    uint64_t dropped = 0;

    for (size_t i = 0; i < atomic_load(&spans->rings_used); i++) {
        dropped += counter_value(&spans->rings[i].dropped);
    }
    return dropped;
}

struct span *span_ring_reserve(struct span_ring *ring)
{
    uint64_t written = atomic_load_explicit(&ring->written, memory_order_relaxed);
    uint64_t taken = atomic_load_explicit(&ring->taken, memory_order_acquire);

    if (written - taken >= SPANS_PER_RING) {
        counter_add(&ring->dropped, 1);
        return NULL;
    }
    struct span *span = &ring->spans[written % SPANS_PER_RING];
    memset(span, 0, sizeof *span);
    return span;
}

void span_ring_commit(struct span_ring *ring)
{
    uint64_t written = atomic_load_explicit(&ring->written, memory_order_relaxed);

    atomic_store_explicit(&ring->written, written + 1, memory_order_release);
}

/* A worker that an attacker controls may have written any position. */
size_t span_ring_waiting(const struct span_ring *ring)
{
    uint64_t waiting = atomic_load_explicit(&ring->written, memory_order_acquire) -
                       atomic_load_explicit(&ring->taken, memory_order_relaxed);

    return waiting < SPANS_PER_RING ? (size_t)waiting : SPANS_PER_RING;
}

const struct span *span_ring_at(const struct span_ring *ring, size_t index)
{
    uint64_t taken = atomic_load_explicit(&ring->taken, memory_order_relaxed);

    return &ring->spans[(taken + index) % SPANS_PER_RING];
}

void span_ring_release(struct span_ring *ring, size_t count)
{
    uint64_t taken = atomic_load_explicit(&ring->taken, memory_order_relaxed);

    atomic_store_explicit(&ring->taken, taken + count, memory_order_release);
}
