/* What the pool knows of the servers of READ_CONNECTION_URL, in memory that it shares without locks:
 * whether a read there sees all that it has to see.
 *
 * A read must see what this pool has acknowledged, and what any host had committed --replica-lag ms
 * ago. Both are one comparison of times of this host's clock: the prober asks the primary for its
 * position, notes when it asked, and then asks each replica. Once the replica has replayed up to that
 * position, it *covers* the time of the question: all that was committed before is visible there.
 *
 *     worker  a write of the pool is done           written_us, before its response is sent
 *     worker  … and it was acknowledged             acknowledged, likewise
 *     prober  a replica covers a time               covers_us, in the replica's entry
 *     worker  a read may go to a replica            covers_us > written_us, and
 *                                                   covers_us >= now - the bound
 *
 * So no position is compared with one of another timeline but by the prober, and a prober that hangs,
 * has ended or does not reach a server leaves times that grow old.
 *
 * While the primary is away no later time is covered. Then a read that the primary has failed may still
 * go to a replica that lacks nothing that was acknowledged, by the number of acknowledged writes: a
 * moment has a time and that number. A write without a result may have been committed, and counts for
 * written_us only: its client was told so. What was acknowledged after the prober's last question to the
 * primary no moment covers. So the last transactions are kept, and the prober asks the replica for them.
 *
 * A session knows which server it is with by the server's run (db/server.h), and an entry says of
 * which run it is. A server that has crashed may have replayed less than before; it has another run. */
#ifndef CRUDDUR_SHARED_REPLICAS_H
#define CRUDDUR_SHARED_REPLICAS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    REPLICAS_MAX = 16,
    ACKNOWLEDGED_MAX = 64,  /* the latest whose transactions are known */
    REPLICAS_IDLE_MS = 5000 /* without a read, before the prober asks less often */
};

/* A moment of the pool, to compare what a server has with. */
struct moment {
    int64_t us;            /* monotonic; 0: none */
    uint64_t acknowledged; /* writes of this pool before it */
};

/* One writer, the prober. */
struct replica {
    _Atomic int64_t run;           /* 0: there is none */
    _Atomic int64_t covers_us;     /* monotonic; 0: nothing */
    _Atomic uint64_t acknowledged; /* so many of this pool's writes it has, the first ones */
    _Atomic int64_t lag_us;        /* how long before the last answer, or its failure, that was */
};

struct replicas {
    struct replica list[REPLICAS_MAX];
    _Atomic bool is_used;          /* some worker may read from replicas: writes are to be noted */
    _Atomic int64_t written_us;    /* when a write of the pool was last done; monotonic */
    _Atomic uint64_t acknowledged; /* writes of the pool */
    /* The transactions of the last ones, each with its number's lowest bits: so one that is stored late
     * is not taken for the one that has its place. */
    _Atomic uint64_t transactions[ACKNOWLEDGED_MAX];
    _Atomic int64_t read_us; /* when a read was last to go to a replica, to 100 ms; monotonic */
    _Atomic bool is_awaited; /* the prober is to be woken by a write */
    int wake_fd;             /* an eventfd, which wakes the prober */
};

/* Shared with all children forked after this, as the descriptor is. NULL: errno says why. */
struct replicas *replicas_new(void);

/* --- for workers --- */

/* Call this after a write of this pool has committed, or may have committed, and before its response
 * is sent. */
void replicas_note_write(struct replicas *replicas, int64_t now_us);

/* Call this before that if it has committed. xid: its transaction; 0: not known. */
void replicas_note_acknowledged(struct replicas *replicas, uint64_t xid);

/* Call this when a read is wanted: keeps the prober at its pace. */
void replicas_note_read(struct replicas *replicas, int64_t now_us);

enum replica_verdict {
    REPLICA_GOOD,
    REPLICA_UNKNOWN, /* the prober has no answer of that run, or it is of another timeline or system */
    REPLICA_BEHIND, /* it may lack a write of this pool */
    REPLICA_LATE,   /* it may lack what another host has written before the bound */
    REPLICA_VERDICTS
};

/* Whether a read that is sent now to the server of that run sees all that it has to. */
enum replica_verdict replicas_judge(const struct replicas *replicas, int64_t run, int64_t now_us,
                                    int64_t bound_us);

/* For how long other hosts' writes may be missing in a read that is sent now to the server of that run;
 * -1: what this pool has acknowledged may be missing too. */
int64_t replicas_age_us(const struct replicas *replicas, int64_t run, int64_t now_us);

/* Whether reads should go to another server than that of the run, which is behind: one that covers a
 * time within the bound; or, while none does, the first that lacks nothing that was acknowledged. */
bool replicas_have_better(const struct replicas *replicas, int64_t run, int64_t now_us,
                          int64_t bound_us);

/* How far the replica that is the least behind was behind when it was last asked; 0: there is none.
 * For the metrics. */
int64_t replicas_lag_us(const struct replicas *replicas);

/* --- for the prober --- */

/* The server of the entry covers that moment; {0}: it is not known to cover any. lag_us: as in struct
 * replica. */
void replicas_publish(struct replicas *replicas, int entry, int64_t run, struct moment covers,
                      int64_t lag_us);

/* Now, for a question. */
struct moment replicas_now(const struct replicas *replicas);

/* The transactions of what was acknowledged after `from` writes and before `until`. Returns their number,
 * ACKNOWLEDGED_MAX at most; -1: one of them is not known. */
int replicas_transactions(const struct replicas *replicas, uint64_t from, uint64_t until,
                          uint64_t *xids);

/* Whether a read was wanted within REPLICAS_IDLE_MS. */
bool replicas_are_wanted(const struct replicas *replicas, int64_t now_us);

/* --- for the prober, and for the master when there is none --- */

/* No worker reads from a replica any more until the prober has asked anew. */
void replicas_invalidate(struct replicas *replicas);

#endif
