#include "db/snapshot.h"

#include <inttypes.h>
#include <stdio.h>

bool snapshot_read(struct snapshot *snapshot, const char *text)
{
    return sscanf(text, "%" SCNd64 "/%" SCNu64 ":%" SCNu64 ":", &snapshot->server, &snapshot->xmin,
                  &snapshot->xmax) == 3;
}

bool snapshot_covers(const struct snapshot *snapshot, const struct snapshot *other)
{
    return snapshot->server == other->server && snapshot->xmin >= other->xmax;
}
