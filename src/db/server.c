#include "db/server.h"

#include <inttypes.h>
#include <stdio.h>

bool server_read(struct server *server, const char *text)
{
    struct server found = {0};
    char role = '\0';

    *server = found;
    if (text == NULL ||
        sscanf(text, "%" SCNu64 "/%" SCNu32 "/%" SCNd64 "/%" SCNu64 "/%c", &found.system,
               &found.timeline, &found.run, &found.position, &role) != 5) {
        return false;
    }
    found.is_standby = role == 's';
    *server = found;
    return true;
}
