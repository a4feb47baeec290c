/* The counters of a worker's score. This file has only their layout, with sizes that are fixed
 * here, so that shared memory needs to know neither the routes nor the reasons that are counted.
 * The code that counts and writes them is in worker/. */
#ifndef CRUDDUR_SHARED_COUNTS_H
#define CRUDDUR_SHARED_COUNTS_H

#include "base/counter.h"

enum {
    TALLY_ENDPOINTS = 65, /* as in routes_number; the last: requests that reached no endpoint */
    TALLY_STATUSES = 25,  /* HTTP statuses; index 0: all that tally_status does not know */
    TALLY_BUCKETS = 14,   /* of the histogram of times; the last has no upper bound */
    REFUSALS_MAX = 16     /* reasons; at least TOKEN_VERDICTS */
};

/* Requests by endpoint, HTTP status and time. */
struct tally {
    struct tally_row {
        counter statuses[TALLY_STATUSES];
        counter buckets[TALLY_BUCKETS];
        counter took_us;
        counter database_us; /* the part of took_us spent waiting for the database */
    } rows[TALLY_ENDPOINTS];
};

/* Refused tokens by enum token_verdict; TOKEN_GOOD is never counted. */
struct refusals {
    counter counts[REFUSALS_MAX];
};

/* Requests for a page that may be cached; see home/cache.h. */
struct cache_counts {
    counter hits;
    counter coalesced;
    counter misses;
};

/* Why a read ran on the primary though there is a READ_CONNECTION_URL; see worker/reads.h. */
enum fallback {
    FALLBACK_KIND,    /* the statement runs on the primary always */
    FALLBACK_AWAY,    /* there is no session with a replica */
    FALLBACK_UNKNOWN, /* this and the next two: as in enum replica_verdict, shared/replicas.h */
    FALLBACK_BEHIND,
    FALLBACK_LATE,
    FALLBACK_MISSING, /* the replica did not find what the statement asks for */
    FALLBACK_FAILED,  /* the replica did not answer in time, or answered with an error */
    FALLBACKS
};

struct replica_counts {
    counter at_replica;
    counter stale; /* those of at_replica that ran there because the primary was away */
    counter fallbacks[FALLBACKS];
};

/* Streams of home's events; see worker/stream.h. */
struct stream_counts {
    _Atomic int open;
    counter refused_by_pool;   /* by the limit --streams */
    counter refused_by_worker; /* by the worker's limit, from its descriptors */
    counter stalled;           /* ended, because the client did not read what was sent */
};

#endif
