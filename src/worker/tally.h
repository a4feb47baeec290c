/* Counts the requests by endpoint, HTTP status and time. */
#ifndef CRUDDUR_WORKER_TALLY_H
#define CRUDDUR_WORKER_TALLY_H

#include <stddef.h>
#include <stdint.h>

#include "shared/counts.h"

struct buf;
struct endpoint;

/* Counts one request. endpoint: NULL if it reached none. */
void tally_count(struct tally *tally, const struct endpoint *endpoint, int http, int64_t took_us,
                 int64_t database_us);

/* The index of an HTTP status in a row, or 0. */
size_t tally_status(int http);

/* Adds more to sum. */
void tally_add(struct tally *sum, const struct tally *more);

/* Appends cruddur_requests_total and the metrics of times in Prometheus's text format. Endpoints
 * without a request are left out. */
void tally_write(const struct tally *tally, struct buf *text);

#endif
