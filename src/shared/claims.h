/* Which requesters have a statement under way somewhere in the pool, in memory that its workers
 * share: a worker claims a requester before it sends that requester's statement, so the statements
 * of one never run in two workers at once.
 *
 * There are no locks. A place holds the claim of one requester; another requester whose hash leads
 * to the same place goes on without a claim, so it is never held up by what others do. A claim
 * names the worker's slot in the scoreboard: that of a worker that has ended counts no more. */
#ifndef CRUDDUR_SHARED_CLAIMS_H
#define CRUDDUR_SHARED_CLAIMS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CLAIM_PLACES = 4096 }; /* a power of two */

/* Zeroed memory is one without claims. */
struct claims {
    _Atomic uint64_t places[CLAIM_PLACES]; /* 0: free */
};

/* A pool's, one for each kind of statement that takes turns. */
struct pool_claims {
    struct claims slow, writes;
};

/* False: a worker of another slot has the requester claimed. */
bool claims_take(struct claims *claims, const char *requester, size_t slot);

/* Ends what claims_take() has begun for that slot. */
void claims_release(struct claims *claims, const char *requester, size_t slot);

/* Ends all claims of a slot whose worker has ended. */
void claims_release_all(struct claims *claims, size_t slot);

#endif
