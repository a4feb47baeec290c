/* What a statement has seen, so that two sessions can tell whose view is the newer one: columns
 * "snapshot" of sql/activities/home.sql and sql/session/snapshot.sql. */
#ifndef CRUDDUR_DB_SNAPSHOT_H
#define CRUDDUR_DB_SNAPSHOT_H

#include <stdbool.h>
#include <stdint.h>

/* Transactions are numbered in the order in which they begin to write, and only within a server's
 * own history. Left as it is by {0} it has seen nothing. */
struct snapshot {
    int64_t server; /* when it was started, microseconds since 1970 */
    uint64_t xmin;  /* all transactions below it had ended: it has seen them */
    uint64_t xmax;  /* it has seen none from it on */
};

/* From "SERVER/" and the text of a pg_snapshot, XMIN:XMAX:XIP_LIST. False: text is something else. */
bool snapshot_read(struct snapshot *snapshot, const char *text);

/* Whether it has certainly seen all that the other one has. */
bool snapshot_covers(const struct snapshot *snapshot, const struct snapshot *other);

#endif
