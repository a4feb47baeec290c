/* What the pool knows of the servers of READ_CONNECTION_URL, in memory that it shares without
 * locks: whether a read there sees all that it must see.
 *
 * A read must see what this pool has acknowledged, and what any host had committed --replica-lag ms
 * ago. Both conditions are comparisons of times of this host's clock: the prober asks the primary
 * for its position, notes when it asked, and then asks each replica. Once the replica has replayed
 * up to that position, it *covers* the time of the question: all that was committed before that
 * time is visible there.
 *
 *     worker  a write of the pool is done           written_us, before its response is sent
 *     worker  … and it was acknowledged             acknowledged, likewise
 *     prober  a replica covers a time               covers_us, in the replica's entry
 *     worker  a read may go to a replica            covers_us > written_us, and
 *                                                   covers_us >= now - the bound
 *
 * So only the prober compares positions, and only those of one timeline. If the prober hangs, has
 * ended or does not reach a server, the times grow old.
 *
 * While the primary is away, no later time becomes covered. A read that failed at the primary may
 * then still go to a replica that lacks nothing that was acknowledged. For this a moment has,
 * besides the time, the number of writes that were acknowledged before it. A write without a result
 * may have been committed; it sets written_us but does not count as acknowledged, since its client
 * got an error that says so. No moment covers the writes that were acknowledged after the prober's
 * last question to the primary. So the pool keeps the transactions of its last writes, and the
 * prober asks the replica whether it has them.
 *
 * A session and an entry both name their server by its run (db/server.h). A server that has crashed
 * may have replayed less than before, but it has another run. */
#ifndef CRUDDUR_SHARED_REPLICAS_H
#define CRUDDUR_SHARED_REPLICAS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    REPLICAS_MAX = 16,
    ACKNOWLEDGED_MAX = 64,  /* how many of the latest writes have their transactions kept */
    REPLICAS_IDLE_MS = 5000 /* without a read, before the prober asks less often */
};

/* A moment of the pool, to be compared with the state of a server. */
struct moment {
    int64_t us;            /* monotonic; 0: none */
    uint64_t acknowledged; /* writes of this pool before it */
};

/* What is known of one replica. It has one writer: the prober, or the master while there is
 * none. */
struct replica {
    _Atomic int64_t run;           /* of the server; 0: there is none */
    _Atomic int64_t covers_us;     /* monotonic; 0: nothing */
    _Atomic uint64_t acknowledged; /* it has this pool's writes up to this number */
    _Atomic int64_t lag_us;        /* from the latest time covered to the last answer or failure */
};

struct replicas {
    struct replica list[REPLICAS_MAX];
    _Atomic bool is_used;          /* some worker may read from replicas, so writes must be noted */
    _Atomic int64_t written_us;    /* when a write of the pool was last done; monotonic */
    _Atomic uint64_t acknowledged; /* writes of the pool */
    /* The transactions of the last acknowledged writes, each with the lowest bits of the write's
     * number. So a transaction that is stored late is not mistaken for the later write of the same
     * index. */
    _Atomic uint64_t transactions[ACKNOWLEDGED_MAX];
    _Atomic int64_t read_us; /* when a replica was last wanted for a read, to 100 ms; monotonic */
    _Atomic bool is_awaited; /* the next write must wake the prober */
    int wake_fd;             /* an eventfd, which wakes the prober */
};

/* Shared with all children forked after this, as the descriptor is. NULL: errno says why. */
struct replicas *replicas_new(void);

/* --- for workers --- */

/* Call this after a write of this pool has committed, or may have committed, and before its
 * response is sent. */
void replicas_note_write(struct replicas *replicas, int64_t now_us);

/* Call this before replicas_note_write() if the write has committed. xid: its transaction; 0: not
 * known. */
void replicas_note_acknowledged(struct replicas *replicas, uint64_t xid);

/* Call this for each read that could run on a replica: the prober then asks at its faster pace. */
void replicas_note_read(struct replicas *replicas, int64_t now_us);

enum replica_verdict {
    REPLICA_GOOD,
    REPLICA_UNKNOWN, /* that run has not answered, or is of another timeline or system */
    REPLICA_BEHIND,  /* it may lack a write of this pool */
    REPLICA_LATE,    /* it may lack what another host wrote longer than the bound ago */
    REPLICA_VERDICTS
};

/* Whether a read that is sent now to the server of that run sees all that it must see. */
enum replica_verdict replicas_judge(const struct replicas *replicas, int64_t run, int64_t now_us,
                                    int64_t bound_us);

/* For how long other hosts' writes may be missing in a read that is sent now to the server of that
 * run; -1: writes that this pool has acknowledged may be missing too. */
int64_t replicas_age_us(const struct replicas *replicas, int64_t run, int64_t now_us);

/* Whether another server is better for reads than that of the run, which is behind: one that covers
 * a time within the bound, or, if the run's server lacks something that was acknowledged, one that
 * lacks nothing of that. */
bool replicas_have_better(const struct replicas *replicas, int64_t run, int64_t now_us,
                          int64_t bound_us);

/* The least lag_us of all replicas; 0: there is none. For the metrics. */
int64_t replicas_lag_us(const struct replicas *replicas);

/* --- for the prober --- */

/* Publishes that the server of the entry covers that moment; {0}: it is not known to cover any.
 * lag_us: as in struct replica. */
void replicas_publish(struct replicas *replicas, int entry, int64_t run, struct moment covers,
                      int64_t lag_us);

/* The current moment, to be noted with a question. */
struct moment replicas_now(const struct replicas *replicas);

/* Stores the transactions of the writes that were acknowledged after the first `from` and up to the
 * number `until`. Returns how many; -1: there are more than ACKNOWLEDGED_MAX, or one of them is not
 * known. */
int replicas_transactions(const struct replicas *replicas, uint64_t from, uint64_t until,
                          uint64_t *xids);

/* Whether a read was wanted within REPLICAS_IDLE_MS. */
bool replicas_are_wanted(const struct replicas *replicas, int64_t now_us);

/* --- for the prober, and for the master when there is none --- */

/* Makes all entries unknown: no worker reads from a replica any more until the prober has asked
 * again. */
void replicas_invalidate(struct replicas *replicas);

#endif
