/* Refused tokens: counted by reason, and logged. */
#ifndef CRUDDUR_WORKER_REFUSALS_H
#define CRUDDUR_WORKER_REFUSALS_H

#include "shared/counts.h"

struct buf;
struct caller;
struct request;

/* Counts a caller of the kind CALLER_REFUSED, unless refusals is NULL (there is no pool), and logs
 * it as repeats.h limits it: once a minute for a reason and a subject. The line has the subject's
 * pseudonym, and nothing else of the request but its id. */
void refusals_note(struct refusals *refusals, const struct request *request,
                   const struct caller *caller);

/* Adds one to the other. */
void refusals_add(struct refusals *sum, const struct refusals *more);

/* As cruddur_tokens_refused_total, in Prometheus's text format. */
void refusals_write(const struct refusals *refusals, struct buf *text);

#endif
