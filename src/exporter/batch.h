/* The spans of one request to the collector: some of those that wait in the rings. They stay there
 * until it is known what became of them. */
#ifndef CRUDDUR_EXPORTER_BATCH_H
#define CRUDDUR_EXPORTER_BATCH_H

#include <stddef.h>

#include "shared/spans.h"

enum { BATCH_MAX = 512 /* spans */ };

/* Zeroed before its first use. */
struct batch {
    const struct span *spans[BATCH_MAX];
    size_t count;
    size_t taken[SPAN_RINGS]; /* of each ring */
    size_t first;             /* the ring that is looked at first, so that each has its turn */
};

/* Fills the batch anew with what waits, up to BATCH_MAX. */
void batch_collect(struct batch *batch, const struct spans *spans);

/* They were sent, or given up: their room is free. */
void batch_release(struct batch *batch, struct spans *spans);

#endif
