/* The spans of one request to the collector: some of those that wait in the rings. They stay in the
 * rings until the result of the request is known. */
#ifndef CRUDDUR_EXPORTER_BATCH_H
#define CRUDDUR_EXPORTER_BATCH_H

#include <stddef.h>

#include "shared/spans.h"

enum { BATCH_MAX = 512 /* spans */ };

/* Zeroed before its first use. */
struct batch {
    const struct span *spans[BATCH_MAX];
    size_t count;
    size_t taken[SPAN_RINGS]; /* how many of each ring */
    size_t first;             /* the ring that is read first, another one each time */
};

/* Fills the batch anew with spans that wait, up to BATCH_MAX. */
void batch_collect(struct batch *batch, const struct spans *spans);

/* Frees the room of the batch's spans, which were sent or given up. */
void batch_release(struct batch *batch, struct spans *spans);

#endif
