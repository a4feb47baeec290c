/* Chooses the server that runs a read: a replica (READ_CONNECTION_URL) if it has all that the read
 * has to see (shared/replicas.h), and otherwise the primary.
 *
 * A read is in one of these states:
 *
 *     at the replica  submitted to the replica's connection. This connection fails the statements
 *                     of a lost session and does not send them again, because its next session may
 *                     be with a server that has less
 *     at the primary  submitted to the primary: from the beginning; or again, with the rest of its
 *                     deadline, because the replica has failed it or has not found its row
 *     in place        submitted to the replica because the primary is away. The replica has all
 *                     that the pool has acknowledged, and covers a time within stale_us. The result
 *                     says how old it may be. If the replica fails the read or does not find its
 *                     row, the read ends with the primary's failure
 *     done            its callback was called
 *
 * Whether a statement may run on a replica is a part of its definition (on_replica,
 * db/statement.h). */
#ifndef CRUDDUR_WORKER_READS_H
#define CRUDDUR_WORKER_READS_H

#include <stdbool.h>
#include <stdint.h>

#include "db/connection.h"

struct read;
struct replica_counts;
struct replicas;

enum {
    /* How long a session with a replica may be useless before it is closed, and a session with the
     * next address begins. It is useless if its server is unknown to the pool, or late while
     * another replica is better. */
    READS_PATIENCE_MS = 5000
};

/* The reads of one lane. The caller sets the fields before `runner` and zeroes the others. */
struct reads {
    struct replicas *replicas;
    struct replica_counts *counts;
    const struct statement_runner *primary;
    struct connection *connection;  /* to a replica */
    int64_t bound_us;               /* as the setting --replica-lag */
    int64_t stale_us;               /* as the setting --replica-stale */
    int64_t end_us;                 /* a read ends at the latest this long after its request */
    int64_t replica_us;             /* the deadline of a statement at the replica */
    struct statement_runner runner; /* runs each statement on one of the two */
    struct read *list;              /* the reads that were sent and are not done */
    int64_t useless_since_us; /* since when the session is useless to all reads; 0: it is not */
    bool has_returned;        /* as in reads_have_returned() */
};

/* Sets the runner. */
void reads_init(struct reads *reads);
void reads_release(struct reads *reads);

/* Whether since the last call a read that the primary has failed was submitted to the replica's
 * connection. Then that connection has to proceed. */
bool reads_have_returned(struct reads *reads);

/* For a read that goes to the replica in place of the primary now: the time from which its deadline
 * counts, so that it ends within end_us of its request. asked_us: when the request arrived; 0:
 * now. */
int64_t reads_begin_us(const struct reads *reads, int64_t asked_us, int64_t now_us);

#endif
