/* What a statement has seen, so that two sessions can tell whose view is the newer one: columns
 * "snapshot" of sql/activities/home.sql and sql/session/snapshot.sql. */
#ifndef CRUDDUR_HOME_SNAPSHOT_H
#define CRUDDUR_HOME_SNAPSHOT_H

#include <stdbool.h>
#include <stdint.h>

/* Transactions are numbered as they begin to write, by each server for itself. {0} has seen
 * nothing. */
struct snapshot {
    int64_t
        server; /* another one for each server, and for each time that it was started or crashed */
    uint64_t xmin; /* all transactions below it had ended: it has seen them */
    uint64_t xmax; /* it has seen none from it on */
};

/* From "SERVER/" and the text of a pg_snapshot, XMIN:XMAX:XIP_LIST. False, and {0}: text is
 * something else, or NULL. */
bool snapshot_read(struct snapshot *snapshot, const char *text);

/* Whether it has certainly seen all that the other one has. */
bool snapshot_covers(const struct snapshot *snapshot, const struct snapshot *other);

#endif
