/* The pool's one process that asks which server is behind each address of the URLs. It does so for two
 * purposes, and only where the settings want one of them:
 *
 * - CONNECTION_URL names several hosts. The pool is to know of a primary that has taken over while
 *   all its own sessions are with the old one, which still answers (db/timelines.h). Every host is
 *   asked every --primary-watch ms.
 * - There is a READ_CONNECTION_URL. Up to which time has each replica what the primary had
 *   (shared/replicas.h)? The primary is asked for its position, and then each replica.
 *
 * It keeps a session with each address, primary or standby. A standby that is promoted keeps its
 * sessions, and its answer is a primary's from then on.
 *
 *     reads are wanted    the primary is asked four times within --replica-lag, and after a write of
 *                         the pool; a replica after each answer of the primary, and again until it
 *                         has caught up
 *     otherwise           both once a second
 *
 * While the primary does not answer, a replica is also asked whether it has the pool's last acknowledged
 * transactions.
 */
#ifndef CRUDDUR_HELPER_PROBER_H
#define CRUDDUR_HELPER_PROBER_H

#include <stdbool.h>

#include "helper/helper.h"

struct catalog;
struct config;
struct replicas;
struct scoreboard;

enum {
    PROBER_HOSTS_MAX = 16, /* addresses of a URL; others are not asked */
    PROBER_IDLE_MS = 1000, /* between two questions, when nothing is waited for */
    PROBER_SPACING_MS = 5, /* at least, of questions to the primary after writes */
    PROBER_AGAIN_MS = 1    /* at least, until a replica that has not caught up is asked again */
};

struct prober {
    struct helper helper;
    struct scoreboard *scoreboard; /* whose counts its sessions use, and whose timelines it sets */
    struct replicas *replicas;
    const struct config *config; /* of its last start, as the next */
    const struct catalog *catalog;
};

/* Before the workers are forked. False: errno says why. */
bool prober_prepare(struct prober *prober, struct scoreboard *scoreboard);

/* Call this before a worker with these settings begins: from then on writes are noted if the worker
 * may read from a replica. */
void prober_note_settings(struct prober *prober, const struct config *config);

/* Whether the settings want it. */
bool prober_is_wanted(const struct config *config);

/* Starts it if it is wanted and does not run. */
void prober_ensure(struct prober *prober, const struct config *config,
                   const struct catalog *catalog);

#endif
