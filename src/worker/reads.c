#include "worker/reads.h"

#include <string.h>

#include "base/clock.h"
#include "base/counter.h"
#include "base/memory.h"
#include "base/status.h"
#include "db/statement.h"
#include "shared/counts.h"
#include "shared/replicas.h"

/* A read that was sent and is not done. */
struct read {
    struct reads *reads;
    const struct statement *statement;
    statement_done *done;
    void *context;
    bool is_at_primary;
    bool was_at_replica;     /* before it was at the primary */
    int64_t waited_us;       /* for the server that it was sent to before */
    struct result failure;   /* the primary's result, while the read is in place */
    struct statement repeat; /* statement with a deadline of its own, for the read in place */
    int stale_s;             /* for its result */
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

/* Whether PostgreSQL ended the statement at a timeout. A second attempt would take too long,
 * too. */
static bool takes_too_long(const struct result *result)
{
    return result->status == STATUS_DATABASE_TIMEOUT && result->sqlstate[0] != '\0';
}

/* Why the primary must run the read again; FALLBACKS: it need not. It must if the replica finds no
 * row, because another host may just have created it: a client that saw a post on a home page must
 * not get a 404 for it. */
static enum fallback shortcoming(const struct result *result)
{
    if (result_is_ok(result) || takes_too_long(result)) {
        return FALLBACKS;
    }
    return result->status == STATUS_OK ? FALLBACK_MISSING : FALLBACK_FAILED;
}

static void finish_read(struct read *read, const struct result *result)
{
    statement_done *done = read->done;
    void *context = read->context;

    forget(read); /* first, because done may submit or cancel a read of the same context */
    done(context, result);
}

static void finish_second(struct read *read, const struct result *result)
{
    struct result both = *result;

    both.microseconds += read->waited_us;
    both.stale_s = read->stale_s;
    finish_read(read, &both);
}

/* Whether the request itself is wrong. Then no other server would accept it. */
static bool is_bad_request(const struct result *result)
{
    return result->status == STATUS_VALUE_REFUSED || result->status == STATUS_MALFORMED_REQUEST;
}

static void done_in_place(void *context, const struct result *result)
{
    struct read *read = context;

    if (!result_is_ok(result)) {
        read->stale_s = 0; /* only a result that is shown has an age */
    }
    if (result_is_ok(result) || is_bad_request(result)) {
        counter_add(&read->reads->counts->at_replica, 1);
        counter_add(&read->reads->counts->stale, 1);
        finish_second(read, result);
    } else {
        read->failure.microseconds = result->microseconds;
        finish_second(read, &read->failure);
    }
}

/* Whether the primary is away. It is not if its schema does not fit (class 42): a replica may have
 * an older one. */
static bool is_away(const struct result *result)
{
    return (result->status == STATUS_DATABASE_UNAVAILABLE &&
            strncmp(result->sqlstate, "42", 2) != 0) ||
           (result->status == STATUS_DATABASE_TIMEOUT && !takes_too_long(result));
}

/* Whether the primary is away and the replica may run a read that the primary has failed. *age_us:
 * how old the replica's data may be. */
static bool may_be_stale(const struct read *read, const struct result *result, int64_t *age_us)
{
    const struct reads *reads = read->reads;

    if (!is_away(result) || read->was_at_replica || !connection_is_ready(reads->connection)) {
        return false;
    }
    *age_us = replicas_age_us(reads->replicas, connection_run(reads->connection), clock_us());
    return *age_us >= 0 && *age_us < reads->stale_us;
}

int64_t reads_begin_us(const struct reads *reads, int64_t asked_us, int64_t now_us)
{
    int64_t latest_us = asked_us != 0 ? asked_us + reads->end_us - reads->replica_us : now_us;

    return latest_us < now_us ? latest_us : now_us;
}

static void done_at_primary(void *context, const struct result *result)
{
    struct read *read = context;
    struct reads *reads = read->reads;
    int64_t age_us;

    if (!may_be_stale(read, result, &age_us)) {
        finish_second(read, result);
        return;
    }
    read->is_at_primary = false;
    read->waited_us = result->microseconds;
    read->failure.status = result->status;
    memcpy(read->failure.sqlstate, result->sqlstate, sizeof read->failure.sqlstate);
    read->stale_s = (int)(age_us / 1000000) + 1;
    read->repeat = *read->statement;
    read->repeat.asked_us = reads_begin_us(reads, read->statement->asked_us, clock_us());
    reads->has_returned = true;
    connection_submit(reads->connection, &read->repeat, done_in_place, read);
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
        read->was_at_replica = true;
        read->waited_us = result->microseconds;
        reads->primary->submit(reads->primary->context, read->statement, done_at_primary, read);
    }
}

/* A session with a server that is unknown, late or of another timeline does not become useful by
 * itself. A session that is only behind the pool's last write does. While the primary is away all
 * replicas are late, so being late counts only if another replica is better. */
static bool is_useless(const struct reads *reads, enum fallback why, int64_t now_us)
{
    return why == FALLBACK_UNKNOWN ||
           (why == FALLBACK_LATE &&
            replicas_have_better(reads->replicas, connection_run(reads->connection), now_us,
                                 reads->bound_us));
}

static void renew_if_useless(struct reads *reads, enum fallback why, int64_t now_us)
{
    if (!is_useless(reads, why, now_us)) {
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

/* If the primary fails the read, the replica may still run it (done_at_primary()). */
static void submit_to_primary(struct reads *reads, const struct statement *statement,
                              statement_done *done, void *context)
{
    if (statement->def->on_replica && reads->stale_us > 0) {
        struct read *read = remember(reads, statement, done, context);

        read->is_at_primary = true;
        reads->primary->submit(reads->primary->context, statement, done_at_primary, read);
    } else {
        reads->primary->submit(reads->primary->context, statement, done, context);
    }
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
        submit_to_primary(reads, statement, done, done_context);
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

bool reads_have_returned(struct reads *reads)
{
    bool has_returned = reads->has_returned;

    reads->has_returned = false;
    return has_returned;
}

void reads_release(struct reads *reads)
{
    while (reads->list != NULL) {
        forget(reads->list);
    }
}
