/* The pool's one process that asks every host of the URL, where it names several, which server it is:
 * so that the pool gets to know of a primary that has taken over while all its own sessions are with
 * the old one, which still answers (db/timelines.h).
 *
 * It keeps a session with each host, primary or standby, and asks every --primary-watch ms. A standby
 * that is promoted keeps its sessions, and its answer is a primary's from then on. */
#ifndef CRUDDUR_HELPER_PROBER_H
#define CRUDDUR_HELPER_PROBER_H

#include <stdbool.h>

#include "helper/helper.h"

struct catalog;
struct config;
struct scoreboard;

enum { PROBER_HOSTS_MAX = 16 /* of a URL, by their addresses; others are not asked */ };

struct prober {
    struct helper helper;
    struct scoreboard *scoreboard; /* whose counts its sessions use, and whose timelines it sets */
    const struct config *config;   /* of its last start, as the next */
    const struct catalog *catalog;
};

/* Whether the settings want it. */
bool prober_is_wanted(const struct config *config);

/* Starts it if it is wanted and does not run. */
void prober_ensure(struct prober *prober, const struct config *config,
                   const struct catalog *catalog);

#endif
