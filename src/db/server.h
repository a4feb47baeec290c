/* Which server a session is with: what sql/session/server.sql says of it. */
#ifndef CRUDDUR_DB_SERVER_H
#define CRUDDUR_DB_SERVER_H

#include <stdbool.h>
#include <stdint.h>

struct server {
    uint64_t system; /* the cluster of servers; 0: not known */
    uint32_t
        timeline; /* of a primary: what it writes now. Of a standby: has replayed it, at least */
    bool is_standby;
    int64_t run;       /* another one for each server, for each of its starts, and after a crash */
    uint64_t position; /* bytes of its log: a primary has written them, a standby replayed */
};

/* From the column "seen". False, and {0}: text is something else, or NULL. */
bool server_read(struct server *server, const char *text);

#endif
