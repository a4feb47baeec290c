/* The pool's one process that asks which server is behind each address of the URLs. It does so for
 * two purposes, and only if the settings need one of them:
 *
 * - CONNECTION_URL names several hosts. The pool must find out that another server has become the
 *   primary, even if all its own sessions are with the old primary, which still answers
 *   (db/timelines.h). Every host is asked every --primary-watch ms.
 * - There is a READ_CONNECTION_URL. The prober finds out up to which time each replica has what the
 *   primary had (shared/replicas.h). It asks the primary for its position, and then each replica.
 *
 * The prober keeps a session with each address, primary or standby. A standby that is promoted
 * keeps its sessions, and answers as a primary from then on.
 *
 *     reads are wanted    the primary is asked four times within --replica-lag, and after a write
 *                         of the pool; a replica after each answer of the primary, and again until
 *                         it has caught up
 *     otherwise           both once a second
 *
 * While the primary does not answer, a replica is also asked whether it has the pool's last
 * acknowledged transactions. */
#ifndef CRUDDUR_HELPER_PROBER_H
#define CRUDDUR_HELPER_PROBER_H

#include <stdbool.h>

#include "helper/helper.h"

struct catalog;
struct config;
struct replicas;
struct scoreboard;

enum {
    PROBER_HOSTS_MAX = 16, /* addresses of one URL; further ones are not asked */
    PROBER_IDLE_MS = 1000, /* between two questions, when no answer is urgent */
    PROBER_SPACING_MS = 5, /* at least, of questions to the primary after writes */
    PROBER_AGAIN_MS = 1    /* at least, until a replica that has not caught up is asked again */
};

struct prober {
    struct helper helper;
    struct scoreboard *scoreboard; /* its sessions use the counts, and it sets the timelines */
    struct replicas *replicas;
    const struct config *config; /* this and catalog: as given at its last start */
    const struct catalog *catalog;
    bool asks_replicas; /* likewise */
};

/* Call this before the workers are forked. False: errno says why. */
bool prober_prepare(struct prober *prober, struct scoreboard *scoreboard);

/* Call this before a worker with these settings begins: from then on writes are noted if the worker
 * may read from a replica. */
void prober_note_settings(struct prober *prober, const struct config *config);

/* Whether the settings want it. */
bool prober_is_wanted(const struct config *config);

/* Starts it if it is wanted and does not run. knows_writes: all workers note their writes in this
 * prober's memory. While workers of an earlier program do not, it asks the hosts of CONNECTION_URL
 * only, and no replica becomes known. */
void prober_ensure(struct prober *prober, const struct config *config,
                   const struct catalog *catalog, bool knows_writes);

#endif
