/* Which server a session is with, as sql/session/server.sql reports it. */
#ifndef CRUDDUR_DB_SERVER_H
#define CRUDDUR_DB_SERVER_H

#include <stdbool.h>
#include <stdint.h>

struct server {
    uint64_t system; /* of a primary and its standbys; 0: not known */
    /* Of a primary: the timeline that it writes now. Of a standby: one that it has replayed, at
     * least in part; it may have replayed a later one. */
    uint32_t timeline;
    bool is_standby;
    int64_t run;       /* differs for each server, for each of its starts, and after a crash */
    uint64_t position; /* bytes of its log that a primary has written, or a standby replayed */
};

/* Reads the column "seen". Returns false, and sets {0}, if text is NULL or has another form. */
bool server_read(struct server *server, const char *text);

#endif
