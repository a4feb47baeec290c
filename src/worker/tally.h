/* How often each endpoint was asked, what became of it and how long that took. */
#ifndef CRUDDUR_WORKER_TALLY_H
#define CRUDDUR_WORKER_TALLY_H

#include <stddef.h>
#include <stdint.h>

#include "shared/counts.h"

struct buf;
struct endpoint;

/* endpoint: NULL when none was asked. */
void tally_count(struct tally *tally, const struct endpoint *endpoint, int http, int64_t took_us,
                 int64_t database_us);

/* The index of an HTTP status in a row, or 0. */
size_t tally_status(int http);

/* Adds one to the other. */
void tally_add(struct tally *sum, const struct tally *more);

/* As cruddur_requests_total and cruddur_request_seconds, in Prometheus's text format; what was
 * never asked is left out. */
void tally_write(const struct tally *tally, struct buf *text);

#endif
