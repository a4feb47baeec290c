#include "master/respawn.h"

void budget_init(struct budget *budget, int64_t now_ms)
{
    *budget = (struct budget){.left = BUDGET_BURST, .refilled_ms = now_ms};
}

bool budget_take(struct budget *budget, int64_t now_ms)
{
    int64_t earned = (now_ms - budget->refilled_ms) / BUDGET_REFILL_MS;

    budget->refilled_ms += earned * BUDGET_REFILL_MS;
    budget->left =
        earned >= BUDGET_BURST - budget->left ? BUDGET_BURST : budget->left + (int)earned;
    if (budget->left == 0) {
        return false;
    }
    budget->left--;
    return true;
}
