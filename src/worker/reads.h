/* Which server runs a read: a replica (READ_CONNECTION_URL) as long as it has all that the read has to
 * see (shared/replicas.h), and otherwise the primary.
 *
 * A read that was sent to a replica is in one of these states:
 *
 *     at the replica  submitted to the replica's connection, which gives up what its session loses:
 *                     the next session may be with a server that has less
 *     at the primary  the replica has failed it, or has not found what it is about: it is submitted
 *                     again, as if it had been from the beginning, with what is left of its deadline
 *     done            its callback was called
 *
 * One that was sent to the primary and fails, because that is away, goes to the replica in its place
 * as long as that lacks nothing that the pool has acknowledged, and covers a time within stale_us. Its
 * result says how old it may be. What the replica does not find then stays the primary's failure.
 *
 * A statement says itself whether it may run on a replica (on_replica in db/statement.h). */
#ifndef CRUDDUR_WORKER_READS_H
#define CRUDDUR_WORKER_READS_H

#include <stdbool.h>
#include <stdint.h>

#include "db/connection.h"

struct read;
struct replica_counts;
struct replicas;

enum {
    /* How long a session with a replica may be of no use, before it is given up for one with the
     * next address. */
    READS_PATIENCE_MS = 5000
};

/* Of one lane. What is before `runner` is its user's to set. */
struct reads {
    struct replicas *replicas;
    struct replica_counts *counts;
    const struct statement_runner *primary;
    struct connection *connection;  /* to a replica */
    int64_t bound_us;               /* as the setting --replica-lag */
    int64_t stale_us;               /* as the setting --replica-stale */
    struct statement_runner runner; /* runs each statement on either */
    struct read *list;              /* sent, and not done */
    int64_t useless_since_us;       /* the session, for each read; 0: it is not */
    bool has_returned;              /* as in reads_have_returned() */
};

/* Sets the runner. */
void reads_init(struct reads *reads);
void reads_release(struct reads *reads);

/* Whether the primary's connection has failed reads since the last call that are now with the
 * replica's connection, which has to proceed. */
bool reads_have_returned(struct reads *reads);

#endif
