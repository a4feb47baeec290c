#include "home/snapshot.h"

#include <inttypes.h>
#include <stdio.h>

bool snapshot_read(struct snapshot *snapshot, const char *text)
{
    struct snapshot found;

    *snapshot = (struct snapshot){0};
    if (text == NULL || sscanf(text, "%" SCNd64 "/%" SCNu64 ":%" SCNu64 ":", &found.server,
                               &found.xmin, &found.xmax) != 3) {
        return false;
    }
    *snapshot = found;
    return true;
}

bool snapshot_covers(const struct snapshot *snapshot, const struct snapshot *other)
{
    return snapshot->server == other->server && snapshot->xmin >= other->xmax;
}
