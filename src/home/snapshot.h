/* Which transactions a statement saw, so that what two sessions saw can be compared: column "seen"
 * of sql/activities/home.sql and sql/session/snapshot.sql. */
#ifndef CRUDDUR_HOME_SNAPSHOT_H
#define CRUDDUR_HOME_SNAPSHOT_H

#include <stdbool.h>
#include <stdint.h>

/* Transactions are numbered as they begin to write, by each server for itself. {0} has seen
 * nothing. */
struct snapshot {
    int64_t server; /* differs for each server, for each of its starts, and after a crash */
    uint64_t xmin;  /* all transactions below it had ended and were seen */
    uint64_t xmax;  /* no transaction from it on was seen */
};

/* From "SERVER/" and the text of a pg_snapshot, XMIN:XMAX:XIP_LIST. False, and {0}: text is
 * something else, or NULL. */
bool snapshot_read(struct snapshot *snapshot, const char *text);

/* Whether `snapshot` has certainly seen all that `other` has seen. */
bool snapshot_covers(const struct snapshot *snapshot, const struct snapshot *other);

#endif
