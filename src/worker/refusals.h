/* Refused tokens: counted by reason, and logged. */
#ifndef CRUDDUR_WORKER_REFUSALS_H
#define CRUDDUR_WORKER_REFUSALS_H

#include "shared/counts.h"

struct buf;
struct caller;
struct request;

/* Counts a caller of the kind CALLER_REFUSED, unless refusals is NULL (there is no pool). Logs it
 * at most once a minute for each reason and subject (base/repeats.h). The line has the reason, the
 * subject's pseudonym and the request's id, and nothing else of the request. */
void refusals_note(struct refusals *refusals, const struct request *request,
                   const struct caller *caller);

/* Adds more to sum. */
void refusals_add(struct refusals *sum, const struct refusals *more);

/* Appends cruddur_tokens_refused_total in Prometheus's text format. */
void refusals_write(const struct refusals *refusals, struct buf *text);

#endif
