/* Runs statements of one kind one at a time for each requester. A requester never has more than one
 * of these statements under way in a worker, or, with claims, in the pool. The requester's other
 * statements wait; those of one worker run in the order in which they came. A statement is refused
 * if it waits too long, or if too many wait already. */
#ifndef CRUDDUR_WORKER_TURNS_H
#define CRUDDUR_WORKER_TURNS_H

#include "db/connection.h"

struct claims;
struct turns;

/* Statements of one requester that may wait, besides the one that is under way. */
enum { TURNS_SLOW_WAITING_MAX = 16, TURNS_WRITES_WAITING_MAX = 32 };

struct turns_settings {
    const struct statement_runner *runner; /* must outlive the turns, and claims too */
    int patience_ms;                       /* how long a statement may wait for its turn */
    int waiting_max;                       /* how many statements of one requester may wait */
    struct claims *claims;                 /* of the pool; NULL: other workers are ignored */
    size_t slot;                           /* the worker's, for its claims */
};

struct turns *turns_new(const struct turns_settings *settings);
void turns_free(struct turns *turns); /* NULL is allowed */

/* As connection_submit. requester names the subject or the client's address; it is copied. A
 * refused statement is done with STATUS_TOO_MANY_REQUESTS. */
void turns_submit(struct turns *turns, const struct statement *statement, const char *requester,
                  statement_done *done, void *context);

/* As connection_cancel. */
bool turns_cancel(struct turns *turns, const void *context);

/* As connection_proceed and connection_wait_ms. turns_proceed() tries again to claim requesters
 * that were claimed before. */
void turns_proceed(struct turns *turns);
int turns_wait_ms(const struct turns *turns);

#endif
