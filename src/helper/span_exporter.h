/* The pool's one process that sends the workers' spans to a collector (cruddur-export-spans), as
 * the master sees it. */
#ifndef CRUDDUR_HELPER_SPAN_EXPORTER_H
#define CRUDDUR_HELPER_SPAN_EXPORTER_H

#include <stdbool.h>
#include <stdint.h>

#include "helper/helper.h"

struct config;
struct spans;

enum { SPAN_EXPORTER_LAST_MS = 2000 /* to send what waits, when the pool ends */ };

struct span_exporter {
    struct helper helper;
    struct spans *spans; /* NULL: never wanted so far */
    int spans_fd;
    const struct config *config; /* of its last start */
    int64_t kill_ms;             /* when it is killed, while the pool ends; else 0 */
    bool is_restarting; /* it was asked to end, and the next one has not been started yet */
};

/* Call this before workers are forked with these settings. Makes the memory if the settings need it
 * and there is none. False: errno says why. */
bool span_exporter_prepare(struct span_exporter *exporter, const struct config *config);

/* Whether the settings want it. */
bool span_exporter_is_wanted(const struct config *config);

/* Starts it if it is wanted and does not run. */
void span_exporter_ensure(struct span_exporter *exporter, const struct config *config);

/* Asks the exporter to end after the request that is under way. The next span_exporter_ensure()
 * after its end starts it with the settings given there. */
void span_exporter_restart(struct span_exporter *exporter);

/* Call this again and again when the last worker has ended. The exporter sends the rest and ends;
 * if it does not run at the first call, it is started for that. It is killed after
 * SPAN_EXPORTER_LAST_MS. */
void span_exporter_finish(struct span_exporter *exporter, const struct config *config);

/* Kills the exporter; span_exporter_finish() does not start it any more. */
void span_exporter_stop(struct span_exporter *exporter);

/* Another program is about to be executed. The exporter goes on for the workers that there are, and
 * ends when no span has come for a while. If it does not run at that moment, it is started for
 * that. */
void span_exporter_leave(struct span_exporter *exporter, const struct config *config);

/* The other program was not executed: takes span_exporter_leave() back. */
void span_exporter_stay(struct span_exporter *exporter);

#endif
