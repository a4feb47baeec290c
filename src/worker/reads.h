/* Which server runs a read: a replica (READ_CONNECTION_URL) as long as it has all that the read has to
 * see (shared/replicas.h), and otherwise the primary.
 *
 * A read is in one of these states:
 *
 *     at the replica  submitted to the replica's connection, which gives up what its session loses:
 *                     the next session may be with a server that has less
 *     at the primary  from the beginning; or the replica has failed it, or has not found what it is
 *                     about: it is submitted again, with what is left of its deadline
 *     in place        at the replica in place of the primary, which is away. The replica lacks nothing
 *                     that the pool has acknowledged, and covers a time within stale_us. The result
 *                     says how old it may be; what the replica does not find stays the primary's failure
 *     done            its callback was called
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
    /* How long a session with a replica may be of no use, while another replica is or its own is
     * unknown, before it is given up for one with the next address. */
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
    int64_t end_us;                 /* a read ends so long after its request at the latest */
    int64_t replica_us;             /* the deadline of a statement at the replica */
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

/* When the time of a read begins that goes to the replica now in place of the primary: so that it ends
 * within end_us of its request, which arrived at asked_us (0: now). */
int64_t reads_begin_us(const struct reads *reads, int64_t asked_us, int64_t now_us);

#endif
