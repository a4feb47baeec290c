/* Without the wait for a lost session, the old backend and the new one could run a write at the
 * same time. Most statements would detect that, but not the order in which their two runs are
 * committed. The wait is bounded, because a backend that hangs must not stop all writes. After the
 * limit the connection does not send again what the old backend may still run, except creates. */
#include "db/introduction.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "db/catalog.h"
#include "db/pipeline.h"

enum {
    FENCE_PATIENCE_MS = 500 /* for the end of a backend that may still run what is sent again */
};

void introduction_init(struct introduction *introduction)
{
    *introduction = (struct introduction){.statement = statement_of(&STATEMENT_SESSION_INTRODUCE)};
}

void introduction_withdraw(struct introduction *introduction, struct pending_list *sent)
{
    if (introduction->is_under_way) {
        pending_remove(sent, &introduction->pending);
        pipeline_forget(&introduction->pending);
        introduction->is_under_way = false;
    }
}

void introduction_note_loss(struct introduction *introduction, bool may_run_on)
{
    if (may_run_on) {
        snprintf(introduction->lost, sizeof introduction->lost, "%s", introduction->name);
    }
    introduction->is_done = false;
    introduction->name[0] = '\0';
}

bool introduction_is_needed(const struct introduction *introduction, int64_t now_us)
{
    return !introduction->is_done || !server_clock_is_recent(&introduction->clock, now_us);
}

void introduction_begin(struct introduction *introduction, const struct catalog *catalog,
                        struct pending_list *unit, int64_t asked_us, bool has_repeats)
{
    bool has_lost = introduction->lost[0] != '\0';

    if (!introduction->is_done) {
        introduction->clock = (struct server_clock){0}; /* it may be the clock of another server */
    }
    snprintf(introduction->patience_ms, sizeof introduction->patience_ms, "%d",
             has_lost && has_repeats ? FENCE_PATIENCE_MS : 0);
    statement_bind(&introduction->statement, "lost", has_lost ? introduction->lost : NULL);
    statement_bind(&introduction->statement, "patience_ms", introduction->patience_ms);
    introduction->pending =
        (struct pending){.statement = &introduction->statement,
                         .prepared = catalog_get(catalog, introduction->statement.def),
                         .asked_us = asked_us};
    introduction->is_under_way = true;
    pending_append(unit, &introduction->pending);
}

bool introduction_end(struct introduction *introduction, bool has_backend)
{
    const char *name = pipeline_column(&introduction->pending, "name");
    const char *is_gone = pipeline_column(&introduction->pending, "is_gone");
    bool may_run_on = introduction->lost[0] != '\0' && is_gone != NULL && *is_gone != 't';

    if (has_backend && name != NULL) {
        snprintf(introduction->name, sizeof introduction->name, "%s", name);
    }
    introduction->lost[0] = '\0';
    introduction->is_under_way = false;
    introduction->is_done = true;
    return !may_run_on;
}

void introduction_take_clock(struct introduction *introduction, const struct pending *pending)
{
    const char *said = pipeline_column(pending, "clock_us");

    if (said != NULL) {
        server_clock_take(&introduction->clock, pending->sent_us, clock_us(),
                          strtoll(said, NULL, 10));
    }
}
