/* The statement that a session runs before its first write (sql/session/introduce.sql): it gives
 * the session a name, reads the server's clock, and waits for the end of a lost session that may
 * still run what it was sent. */
#ifndef CRUDDUR_DB_INTRODUCTION_H
#define CRUDDUR_DB_INTRODUCTION_H

#include <stdbool.h>
#include <stdint.h>

#include "db/pending.h"
#include "db/server_clock.h"
#include "db/statement.h"

struct catalog;

/* One for each connection, for one session after the other. It is in one of three states:
 *
 *     needed     neither is_under_way nor is_done; or is_done, but the clock's sample is old
 *     under way  on the pipeline's list of sent statements, as a unit of its own; writes wait
 *     done       writes may be sent
 *
 * A lost session takes it back to needed. */
struct introduction {
    struct statement statement;
    struct pending pending; /* not on the heap, and on no list but the pipeline's */
    bool is_under_way;
    bool is_done;              /* of the present session */
    char name[48];             /* of the present session; "": not known */
    char lost[48];             /* of one before it that may still run what it was sent; "": none */
    char patience_ms[8];       /* a value of the statement */
    struct server_clock clock; /* of the present session's server */
};

void introduction_init(struct introduction *introduction);

/* Takes it off the list of sent statements, which are about to go back to a queue. */
void introduction_withdraw(struct introduction *introduction, struct pending_list *sent);

/* The session is lost. may_run_on: its backend may still run writes that it was sent. */
void introduction_note_loss(struct introduction *introduction, bool may_run_on);

/* True: it must be sent before the next write. */
bool introduction_is_needed(const struct introduction *introduction, int64_t now_us);

/* Makes it the only statement of unit. Its deadline is that of the write behind it, which had
 * arrived at asked_us. has_repeats: something of the lost session is to be sent again, so its
 * end is waited for. */
void introduction_begin(struct introduction *introduction, const struct catalog *catalog,
                        struct pending_list *unit, int64_t asked_us, bool has_repeats);

/* Its unit was committed. has_backend: the session has a backend of its own, and no pooler's.
 * False: a lost session was waited for in vain, and may still run what it was sent. */
bool introduction_end(struct introduction *introduction, bool has_backend);

/* The introduction and every write say what the server's clock showed. */
void introduction_take_clock(struct introduction *introduction, const struct pending *pending);

#endif
