/* Which requesters have a statement under way somewhere in the pool, in memory that its workers
 * share: a worker claims a requester before it sends that requester's statement, so two workers
 * never run statements of one requester at once.
 *
 * There are no locks. A place holds the claim of one requester. Another requester whose hash leads
 * to the same place goes on without a claim, so no requester waits for another one. A claim has the
 * worker's slot on the scoreboard; the master ends the claims of a worker that has ended. */
#ifndef CRUDDUR_SHARED_CLAIMS_H
#define CRUDDUR_SHARED_CLAIMS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CLAIM_PLACES = 4096 }; /* a power of two */

/* Zeroed memory has no claims. */
struct claims {
    _Atomic uint64_t places[CLAIM_PLACES]; /* 0: free */
};

/* The claims of a pool, one set for each kind of statement that takes turns. */
struct pool_claims {
    struct claims slow, writes;
};

/* Claims a requester for that slot. False: a worker in another slot has claimed it. */
bool claims_take(struct claims *claims, const char *requester, size_t slot);

/* Ends the claim that claims_take() made for that slot. */
void claims_release(struct claims *claims, const char *requester, size_t slot);

/* Ends all claims of a slot whose worker has ended. */
void claims_release_all(struct claims *claims, size_t slot);

#endif
