/* How often each endpoint was asked, what became of it and how long that took. */
#ifndef CRUDDUR_DAEMON_TALLY_H
#define CRUDDUR_DAEMON_TALLY_H

#include "api/routes.h"
#include "base/buf.h"
#include "base/counter.h"

enum {
    TALLY_ENDPOINTS = ROUTES_MAX + 1, /* as in routes_number; the last: none of them was asked */
    TALLY_STATUSES = 25,              /* HTTP statuses; 0: one that tally_status doesn't know */
    TALLY_BUCKETS = 14                /* up to so much time each; the last: any */
};

struct tally {
    struct tally_row {
        counter statuses[TALLY_STATUSES];
        counter buckets[TALLY_BUCKETS];
        counter took_us;
        counter database_us; /* of them waited for the database */
    } rows[TALLY_ENDPOINTS];
};

/* endpoint: NULL when none was asked. */
void tally_count(struct tally *tally, const struct endpoint *endpoint, int http, int64_t took_us,
                 int64_t database_us);

/* The place of an HTTP status among a row's, or 0. */
size_t tally_status(int http);

/* Adds one to the other. */
void tally_add(struct tally *sum, const struct tally *more);

/* As cruddur_requests_total and cruddur_request_seconds, in Prometheus's text format; what was never
 * asked is left out. */
void tally_write(const struct tally *tally, struct buf *text);

#endif
