/* A token bucket: it holds RESPAWN_BURST tokens at most, a start takes one, and one comes back
 * each RESPAWN_REFILL_MS. */
#include "master/respawn.h"

void respawn_budget_init(struct respawn_budget *budget, int64_t now_ms)
{
    *budget = (struct respawn_budget){.left = RESPAWN_BURST, .refilled_ms = now_ms};
}

bool respawn_budget_take(struct respawn_budget *budget, int64_t now_ms)
{
    int64_t earned = (now_ms - budget->refilled_ms) / RESPAWN_REFILL_MS;

    budget->refilled_ms += earned * RESPAWN_REFILL_MS;
    budget->left =
        earned >= RESPAWN_BURST - budget->left ? RESPAWN_BURST : budget->left + (int)earned;
    if (budget->left == 0) {
        return false;
    }
    budget->left--;
    return true;
}
