/* A place holds the upper 48 bits of the requester's hash, and the slot + 1 in the lower 16
 * bits. */
#include "shared/claims.h"

#include <string.h>

#include "base/hash.h"

enum { SLOT_BITS = 16 };

static uint64_t requester_hash(const char *requester)
{
    return hash_add(HASH_START, requester, strlen(requester));
}

static uint64_t claim_of(uint64_t hash, size_t slot)
{
    return hash >> SLOT_BITS << SLOT_BITS | (slot + 1);
}

bool claims_take(struct claims *claims, const char *requester, size_t slot)
{
    uint64_t hash = requester_hash(requester), claim = claim_of(hash, slot), found = 0;

    return atomic_compare_exchange_strong(&claims->places[hash % CLAIM_PLACES], &found, claim) ||
           found == claim || found >> SLOT_BITS != claim >> SLOT_BITS;
}

void claims_release(struct claims *claims, const char *requester, size_t slot)
{
    uint64_t hash = requester_hash(requester), claim = claim_of(hash, slot);

    atomic_compare_exchange_strong(&claims->places[hash % CLAIM_PLACES], &claim, 0);
}

void claims_release_all(struct claims *claims, size_t slot)
{
    const uint64_t mask = (UINT64_C(1) << SLOT_BITS) - 1;

    for (size_t i = 0; i < CLAIM_PLACES; i++) {
        uint64_t claim = atomic_load(&claims->places[i]);

        if ((claim & mask) == slot + 1) {
            atomic_compare_exchange_strong(&claims->places[i], &claim, 0);
        }
    }
}
