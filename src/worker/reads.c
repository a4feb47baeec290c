#include "worker/reads.h"

#include <string.h>

#include "base/clock.h"
#include "base/counter.h"
#include "base/memory.h"
#include "base/status.h"
#include "db/statement.h"
#include "shared/counts.h"
#include "shared/replicas.h"

/* A read that was sent to the replica and is not done. */
struct read {
    struct reads *reads;
    const struct statement *statement;
    statement_done *done;
    void *context;
    bool is_at_primary;
    int64_t waited_us; /* for the replica; known at the primary */
    struct read *next, **link;
};

static void forget(struct read *read)
{
    *read->link = read->next;
    if (read->next != NULL) {
        read->next->link = read->link;
    }
    memory_free(read);
}

static struct read *remember(struct reads *reads, const struct statement *statement,
                             statement_done *done, void *context)
{
    struct read *read = memory_zeroed(sizeof *read);

    *read = (struct read){.reads = reads,
                          .statement = statement,
                          .done = done,
                          .context = context,
                          .next = reads->list,
                          .link = &reads->list};
    if (read->next != NULL) {
        read->next->link = &read->next;
    }
    reads->list = read;
    return read;
}

/* Whether the primary is to run it too, and why; FALLBACKS: it is not. What the replica does not find
 * another host may just have made: a home page that has a post is not followed by a 404 for it. Of a
 * statement that takes too long, as PostgreSQL found, a second attempt would do so too. */
static enum fallback shortcoming(const struct result *result)
{
    if (result->status == STATUS_OK) {
        return result->outcome != NULL && strcmp(result->outcome, "ok") == 0 ? FALLBACKS
                                                                             : FALLBACK_MISSING;
    }
    return result->status == STATUS_DATABASE_TIMEOUT && result->sqlstate[0] != '\0'
               ? FALLBACKS
               : FALLBACK_FAILED;
}

static void finish_read(struct read *read, const struct result *result)
{
    statement_done *done = read->done;
    void *context = read->context;

    forget(read); /* first: what is called may submit or cancel a read of the same context */
    done(context, result);
}

static void done_at_primary(void *context, const struct result *result)
{
    struct read *read = context;
    struct result both = *result;

    both.microseconds += read->waited_us;
    finish_read(read, &both);
}

static void done_at_replica(void *context, const struct result *result)
{
    struct read *read = context;
    struct reads *reads = read->reads;
    enum fallback why = shortcoming(result);

    if (why == FALLBACKS) {
        counter_add(&reads->counts->at_replica, 1);
        finish_read(read, result);
    } else {
        counter_add(&reads->counts->fallbacks[why], 1);
        read->is_at_primary = true;
        read->waited_us = result->microseconds;
        reads->primary->submit(reads->primary->context, read->statement, done_at_primary, read);
    }
}

/* A session with a server that is unknown, too old or of another timeline stays of no use by itself;
 * one that is only behind the pool's last write does not. */
static void renew_if_useless(struct reads *reads, enum fallback why, int64_t now_us)
{
    if (why != FALLBACK_UNKNOWN && why != FALLBACK_LATE) {
        reads->useless_since_us = 0;
    } else if (reads->useless_since_us == 0) {
        reads->useless_since_us = now_us;
    } else if (now_us - reads->useless_since_us > READS_PATIENCE_MS * INT64_C(1000)) {
        reads->useless_since_us = 0;
        connection_renew(reads->connection);
    }
}

/* Why a read that is sent now may not run on the replica; FALLBACKS: it may. */
static enum fallback obstacle(const struct reads *reads, const struct statement *statement,
                              int64_t now_us)
{
    static const enum fallback REASONS[REPLICA_VERDICTS] = {[REPLICA_GOOD] = FALLBACKS,
                                                            [REPLICA_UNKNOWN] = FALLBACK_UNKNOWN,
                                                            [REPLICA_BEHIND] = FALLBACK_BEHIND,
                                                            [REPLICA_LATE] = FALLBACK_LATE};

    if (!statement->def->on_replica) {
        return FALLBACK_KIND;
    }
    if (!connection_is_ready(reads->connection)) {
        return FALLBACK_AWAY;
    }
    return REASONS[replicas_judge(reads->replicas, connection_run(reads->connection), now_us,
                                  reads->bound_us)];
}

static void submit(void *context, const struct statement *statement, statement_done *done,
                   void *done_context)
{
    struct reads *reads = context;
    int64_t now_us = clock_us();
    enum fallback why = obstacle(reads, statement, now_us);

    if (why != FALLBACK_KIND) {
        replicas_note_read(reads->replicas, now_us);
        renew_if_useless(reads, why, now_us);
    }
    if (why == FALLBACK_AWAY) {
        connection_want(reads->connection);
    }
    if (why == FALLBACKS) {
        connection_submit(reads->connection, statement, done_at_replica,
                          remember(reads, statement, done, done_context));
    } else {
        counter_add(&reads->counts->fallbacks[why], 1);
        reads->primary->submit(reads->primary->context, statement, done, done_context);
    }
}

static bool cancel(void *context, const void *done_context)
{
    struct reads *reads = context;
    struct read *read = reads->list;

    while (read != NULL && read->context != done_context) {
        read = read->next;
    }
    if (read == NULL) {
        return reads->primary->cancel(reads->primary->context, done_context);
    }
    bool is_cancelled = read->is_at_primary ? reads->primary->cancel(reads->primary->context, read)
                                            : connection_cancel(reads->connection, read);
    if (is_cancelled) {
        forget(read);
    }
    return is_cancelled;
}

void reads_init(struct reads *reads)
{
    reads->runner = (struct statement_runner){submit, cancel, reads};
}

void reads_release(struct reads *reads)
{
    while (reads->list != NULL) {
        forget(reads->list);
    }
}
