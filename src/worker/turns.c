/* All turns of all requesters are in one list, in the order in which they came. A requester's turn
 * is found by walking it, which is short: TURNS_…_WAITING_MAX bounds what one requester can add,
 * and the number of clients bounds the rest. A requester's first turn in the list is the one under
 * way, if any is; its end gives the next one its turn. A callback may submit or cancel, so the
 * list is read anew after each. */
#include "worker/turns.h"

#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/status.h"
#include "db/pipeline.h"

/* A turn waits, until its statement is submitted; then it is under way, until there is the result
 * or the turn is cancelled. */
struct turn {
    struct turns *turns;
    const struct statement *statement;
    char *requester;
    statement_done *done;
    void *context;
    int64_t submitted_us;
    bool is_under_way;
    struct turn *next;
};

struct turns {
    const struct statement_runner *runner;
    int patience_ms;
    int waiting_max;
    struct turn *first; /* of all, in the order in which they came */
};

struct turns *turns_new(const struct statement_runner *runner, int patience_ms, int waiting_max)
{
    struct turns *turns = memory_zeroed(sizeof *turns);

    turns->runner = runner;
    turns->patience_ms = patience_ms;
    turns->waiting_max = waiting_max;
    return turns;
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
    for (struct turn *turn = turns->first, *next; turn != NULL; turn = next) {
        next = turn->next;
        turn_free(turn);
    }
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
    const struct statement_runner *runner = turn->turns->runner;

    turn->is_under_way = true;
    runner->submit(runner->context, turn->statement, turn_done, turn);
}

/* Gives the requester's next statement its turn, unless one is under way. */
static void give_turn(struct turns *turns, const char *requester)
{
    int64_t oldest_us = clock_us() - turns->patience_ms * INT64_C(1000);
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
            submit_turn(turn);
            return;
        }
        unlink_turn(turn);
        refuse_turn(turn);
        turn = turns->first; /* the callback may have changed the list */
    }
}

static void turn_done(void *context, const struct result *result)
{
    struct turn *turn = context;
    struct turns *turns = turn->turns;
    char *requester = memory_copy(turn->requester);
    struct result copy = *result;

    unlink_turn(turn);
    finish_turn(turn, &copy);
    give_turn(turns, requester);
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
    if (ahead > turns->waiting_max) {
        refuse_turn(turn);
        return;
    }
    *link = turn;
    if (ahead == 0) {
        submit_turn(turn);
    }
}

bool turns_cancel(struct turns *turns, const void *context)
{
    for (struct turn *turn = turns->first; turn != NULL; turn = turn->next) {
        if (turn->context != context) {
            continue;
        }
        if (turn->is_under_way && !turns->runner->cancel(turns->runner->context, turn)) {
            return false;
        }
        unlink_turn(turn);
        give_turn(turns, turn->requester);
        turn_free(turn);
        return true;
    }
    return false;
}
