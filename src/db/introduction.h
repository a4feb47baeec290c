/* The statement that a session runs before its first write (sql/session/introduce.sql): it returns
 * the session's name, reads the server's clock, and waits for the end of a lost session that may
 * still run what it was sent. */
#ifndef CRUDDUR_DB_INTRODUCTION_H
#define CRUDDUR_DB_INTRODUCTION_H

#include <stdbool.h>
#include <stdint.h>

#include "db/pending.h"
#include "db/server_clock.h"
#include "db/statement.h"

struct catalog;

/* Each connection has one introduction, for all its sessions in turn. It is in one of three
 * states:
 *
 *     needed     neither is_under_way nor is_done; or is_done, but the clock's sample is old
 *     under way  on the pipeline's list of sent statements, as a unit of its own; writes wait
 *     done       writes may be sent
 *
 * The loss of the session sets it back to needed. */
struct introduction {
    struct statement statement;
    struct pending pending; /* not on the heap, and on no list but the pipeline's */
    bool is_under_way;
    bool is_done;              /* of the present session */
    char name[48];             /* of the present session; "": not known */
    char lost[48];             /* of a lost session that may still run writes; "": none */
    char patience_ms[8];       /* a value of the statement */
    struct server_clock clock; /* of the present session's server */
};

void introduction_init(struct introduction *introduction);

/* Takes the introduction off the list of sent statements, which are about to go back to a queue. */
void introduction_withdraw(struct introduction *introduction, struct pending_list *sent);

/* The session is lost. may_run_on: its backend may still run writes that it was sent. */
void introduction_note_loss(struct introduction *introduction, bool may_run_on);

/* Whether the introduction must be sent before the next write. */
bool introduction_is_needed(const struct introduction *introduction, int64_t now_us);

/* Makes the introduction the only statement of unit. It has the deadline of the write behind it,
 * whose request had arrived at asked_us. has_repeats: a statement of the lost session is to be
 * sent again, so the introduction waits for the end of that session. */
void introduction_begin(struct introduction *introduction, const struct catalog *catalog,
                        struct pending_list *unit, int64_t asked_us, bool has_repeats);

/* Call this when the introduction's unit was committed. has_backend: the session has a backend of
 * its own, not one of a pooler. Returns false if a lost session has not ended in time, and may
 * still run what it was sent. */
bool introduction_end(struct introduction *introduction, bool has_backend);

/* Takes the time of the server's clock from the reply to the introduction or to a write. */
void introduction_take_clock(struct introduction *introduction, const struct pending *pending);

#endif
