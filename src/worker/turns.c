/* All turns of all requesters are in one list, in the order in which they came. A requester's turn
 * is found by walking the list. The list is short: TURNS_…_WAITING_MAX bounds what one requester
 * can add, and the number of clients bounds the rest. If a turn of a requester is under way, it is
 * the requester's first in the list; when it ends, the next one begins. A callback may submit or
 * cancel, so the list is read from its start again after each callback.
 *
 * With claims, a turn that is under way holds the claim of its requester. A turn that finds its
 * requester claimed waits, and tries again every RETRY_MS. If further turns of the requester wait
 * in this worker when a statement ends, the claim rests: it stays for as long as the statement
 * took, up to REST_MAX_MS. So one requester's statements that take no longer than that use half of
 * the time of one session of the pool. */
#include "worker/turns.h"

#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/status.h"
#include "db/pipeline.h"
#include "shared/claims.h"

enum { RETRY_MS = 2, REST_MAX_MS = 20 };

/* A turn waits until its statement is submitted. Then it is under way until the result comes or the
 * turn is cancelled. */
struct turn {
    struct turns *turns;
    const struct statement *statement;
    char *requester;
    statement_done *done;
    void *context;
    int64_t submitted_us;
    int64_t begun_ms; /* since when it is under way */
    bool is_under_way;
    bool is_due; /* turns_proceed() is to try it */
    struct turn *next;
};

/* A claim that stays for some time after the end of its statement. */
struct rest {
    char *requester;
    int64_t end_ms;
    struct rest *next;
};

struct turns {
    struct turns_settings settings;
    int64_t retry_ms;   /* when to try again to claim; 0: there is nothing to try */
    struct rest *rests; /* in no order */
    struct turn *first; /* of all, in the order in which they came */
};

struct turns *turns_new(const struct turns_settings *settings)
{
    struct turns *turns = memory_zeroed(sizeof *turns);

    turns->settings = *settings;
    return turns;
}

/* Claims the requester. False: its statement may not be sent yet. */
static bool begin_claim(struct turns *turns, const char *requester)
{
    const struct turns_settings *settings = &turns->settings;

    for (const struct rest *rest = turns->rests; rest != NULL; rest = rest->next) {
        if (strcmp(rest->requester, requester) == 0) {
            return false;
        }
    }
    return settings->claims == NULL || claims_take(settings->claims, requester, settings->slot);
}

static bool has_turn(const struct turns *turns, const char *requester)
{
    const struct turn *turn = turns->first;

    while (turn != NULL && strcmp(turn->requester, requester) != 0) {
        turn = turn->next;
    }
    return turn != NULL;
}

/* Ends the claim of a turn that is over and no longer in the list: at once, or after a rest if
 * further turns of its requester wait. */
static void end_claim(struct turns *turns, const struct turn *turn)
{
    int64_t now_ms = clock_ms(), took_ms = now_ms - turn->begun_ms;

    if (!turn->is_under_way || turns->settings.claims == NULL) {
        return;
    }
    if (!has_turn(turns, turn->requester)) {
        claims_release(turns->settings.claims, turn->requester, turns->settings.slot);
        return;
    }
    struct rest *rest = memory_zeroed(sizeof *rest);

    *rest = (struct rest){.requester = memory_copy(turn->requester),
                          .end_ms = now_ms + (took_ms < REST_MAX_MS ? took_ms : REST_MAX_MS),
                          .next = turns->rests};
    turns->rests = rest;
}

/* Ends the rests that are over at now_ms. */
static void end_rests(struct turns *turns, int64_t now_ms)
{
    struct rest **link = &turns->rests;

    while (*link != NULL) {
        struct rest *rest = *link;

        if (rest->end_ms > now_ms) {
            link = &rest->next;
            continue;
        }
        *link = rest->next;
        claims_release(turns->settings.claims, rest->requester, turns->settings.slot);
        memory_free(rest->requester);
        memory_free(rest);
    }
}

static void retry_soon(struct turns *turns)
{
    if (turns->retry_ms == 0) {
        turns->retry_ms = clock_ms() + RETRY_MS;
    }
}

static void turn_free(struct turn *turn)
{
    memory_free(turn->requester);
    memory_free(turn);
}

void turns_free(struct turns *turns)
{
    if (turns == NULL) {
        return;
    }
    while (turns->first != NULL) {
        struct turn *turn = turns->first;

        turns->first = turn->next;
        end_claim(turns, turn);
        turn_free(turn);
    }
    end_rests(turns, INT64_MAX);
    memory_free(turns);
}

static void unlink_turn(struct turn *turn)
{
    struct turn **link = &turn->turns->first;

    while (*link != turn) {
        link = &(*link)->next;
    }
    *link = turn->next;
}

static void finish_turn(struct turn *turn, struct result *result)
{
    result->microseconds = clock_us() - turn->submitted_us;
    turn->done(turn->context, result);
    turn_free(turn);
}

static void refuse_turn(struct turn *turn)
{
    struct result result = {.status = STATUS_TOO_MANY_REQUESTS};

    finish_turn(turn, &result);
}

static void turn_done(void *context, const struct result *result);

static void submit_turn(struct turn *turn)
{
    const struct statement_runner *runner = turn->turns->settings.runner;

    turn->is_under_way = true;
    turn->begun_ms = clock_ms();
    runner->submit(runner->context, turn->statement, turn_done, turn);
}

/* Gives the requester's next statement its turn, unless one is under way. Refuses statements that
 * have waited too long. */
static void give_turn(struct turns *turns, const char *requester)
{
    int64_t oldest_us = clock_us() - turns->settings.patience_ms * INT64_C(1000);
    struct turn *turn = turns->first;

    while (turn != NULL) {
        struct turn *next = turn->next;

        if (strcmp(turn->requester, requester) != 0) {
            turn = next;
            continue;
        }
        if (turn->is_under_way) {
            return;
        }
        if (turn->submitted_us >= oldest_us) {
            if (begin_claim(turns, requester)) {
                submit_turn(turn);
            } else {
                retry_soon(turns);
            }
            return;
        }
        unlink_turn(turn);
        refuse_turn(turn);
        turn = turns->first; /* the callback may have changed the list */
    }
}

/* Called after a turn of the requester has left the list. */
static void give_next_turn(struct turns *turns, const char *requester)
{
    if (turns->settings.claims == NULL) {
        give_turn(turns, requester);
    } else if (turns->first != NULL) {
        retry_soon(turns);
    }
}

static void turn_done(void *context, const struct result *result)
{
    struct turn *turn = context;
    struct turns *turns = turn->turns;
    char *requester = memory_copy(turn->requester);
    struct result copy = *result;

    unlink_turn(turn);
    end_claim(turns, turn);
    finish_turn(turn, &copy);
    give_next_turn(turns, requester);
    memory_free(requester);
}

void turns_submit(struct turns *turns, const struct statement *statement, const char *requester,
                  statement_done *done, void *context)
{
    struct turn *turn = memory_zeroed(sizeof *turn);
    struct turn **link = &turns->first;
    int ahead = 0;

    *turn = (struct turn){.turns = turns,
                          .statement = statement,
                          .requester = memory_copy(requester),
                          .done = done,
                          .context = context,
                          .submitted_us = clock_us()};
    for (; *link != NULL; link = &(*link)->next) {
        ahead += strcmp((*link)->requester, requester) == 0;
    }
    if (ahead > turns->settings.waiting_max) {
        refuse_turn(turn);
        return;
    }
    *link = turn;
    if (ahead == 0 && begin_claim(turns, requester)) {
        submit_turn(turn);
    } else if (ahead == 0) {
        retry_soon(turns);
    }
}

bool turns_cancel(struct turns *turns, const void *context)
{
    const struct statement_runner *runner = turns->settings.runner;

    for (struct turn *turn = turns->first; turn != NULL; turn = turn->next) {
        if (turn->context != context) {
            continue;
        }
        if (turn->is_under_way && !runner->cancel(runner->context, turn)) {
            return false;
        }
        unlink_turn(turn);
        end_claim(turns, turn);
        give_next_turn(turns, turn->requester);
        turn_free(turn);
        return true;
    }
    return false;
}

static struct turn *first_due(const struct turns *turns)
{
    struct turn *turn = turns->first;

    while (turn != NULL && !turn->is_due) {
        turn = turn->next;
    }
    return turn;
}

/* Tries the requester's first turn only, because the others wait for it. */
static void try_requester(struct turns *turns, const char *requester)
{
    for (struct turn *turn = turns->first; turn != NULL; turn = turn->next) {
        turn->is_due = turn->is_due && strcmp(turn->requester, requester) != 0;
    }
    give_turn(turns, requester);
}

void turns_proceed(struct turns *turns)
{
    struct turn *turn;

    if (turns->rests != NULL) {
        end_rests(turns, clock_ms());
    }
    if (turns->retry_ms == 0 || clock_ms() < turns->retry_ms) {
        return;
    }
    turns->retry_ms = 0;
    for (turn = turns->first; turn != NULL; turn = turn->next) {
        turn->is_due = !turn->is_under_way;
    }
    while ((turn = first_due(turns)) != NULL) {
        char *requester = memory_copy(turn->requester);

        try_requester(turns, requester);
        memory_free(requester);
    }
}

int turns_wait_ms(const struct turns *turns)
{
    int first_ms = turns->retry_ms == 0 ? -1 : clock_left_ms(turns->retry_ms);

    for (const struct rest *rest = turns->rests; rest != NULL; rest = rest->next) {
        first_ms = clock_sooner(first_ms, clock_left_ms(rest->end_ms));
    }
    return first_ms;
}
