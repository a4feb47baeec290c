#include "exporter/batch.h"

#include <stdatomic.h>

static void take_ring(struct batch *batch, const struct span_ring *ring, size_t number)
{
    size_t waiting = span_ring_waiting(ring), room = BATCH_MAX - batch->count;
    size_t count = waiting < room ? waiting : room;

    for (size_t i = 0; i < count; i++) {
        batch->spans[batch->count++] = span_ring_at(ring, i);
    }
    batch->taken[number] = count;
}

void batch_collect(struct batch *batch, const struct spans *spans)
{
    size_t rings = atomic_load(&spans->rings_used);

    batch->count = 0;
    for (size_t i = 0; i < rings && rings <= SPAN_RINGS; i++) {
        size_t number = (batch->first + i) % rings;

        take_ring(batch, &spans->rings[number], number);
    }
}

void batch_release(struct batch *batch, struct spans *spans)
{
    for (size_t i = 0; i < SPAN_RINGS; i++) {
        if (batch->taken[i] > 0) {
            span_ring_release(&spans->rings[i], batch->taken[i]);
            batch->taken[i] = 0;
        }
    }
    batch->first = (batch->first + 1) % SPAN_RINGS;
    batch->count = 0;
}
