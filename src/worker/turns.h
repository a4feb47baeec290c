/* Statements of one kind, one at a time for each requester: one subject's requests never have more
 * than one of them under way in a worker, whatever is sent. The others of the same requester wait
 * in the order in which they came. A statement that waits too long, or comes when too many wait, is
 * refused. */
#ifndef CRUDDUR_WORKER_TURNS_H
#define CRUDDUR_WORKER_TURNS_H

#include "db/connection.h"

struct turns;

/* Of one requester, besides the statement that is under way. */
enum { TURNS_SLOW_WAITING_MAX = 4, TURNS_WRITES_WAITING_MAX = 32 };

/* patience_ms is how long a statement may wait for its turn, waiting_max how many of one requester
 * may. runner must outlive it. */
struct turns *turns_new(const struct statement_runner *runner, int patience_ms, int waiting_max);
void turns_free(struct turns *turns); /* NULL is allowed */

/* As connection_submit. requester names the subject or the client's address; it is copied. A
 * refused statement is done with STATUS_TOO_MANY_REQUESTS. */
void turns_submit(struct turns *turns, const struct statement *statement, const char *requester,
                  statement_done *done, void *context);

/* As connection_cancel. */
bool turns_cancel(struct turns *turns, const void *context);

#endif
