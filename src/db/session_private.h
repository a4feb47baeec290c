/* struct session, for the files that implement it: dial.c connects the session, set_up.c sets it
 * up, trial.c tries its statements, and session.c has the functions for a session in use. No other
 * file includes this one. */
#ifndef CRUDDUR_DB_SESSION_PRIVATE_H
#define CRUDDUR_DB_SESSION_PRIVATE_H

#include <libpq-fe.h>

#include "base/error.h"
#include "db/catalog.h"
#include "db/server.h"
#include "db/session.h"

struct dial;
struct session_failure;
struct timeline;

/* Numbers of statements in the catalog: those of STATEMENT_SESSION_BEGIN and
 * STATEMENT_SESSION_SERVER, and a number that stands for no statement. */
enum { BEGIN_STATEMENT = 0, SERVER_STATEMENT = 1, NO_STATEMENT = CATALOG_MAX };

struct session {
    struct dial
        *dial;  /* while the session is not ready: all that only connecting needs; then NULL */
    PGconn *pg; /* NULL until there is an address */
    const struct session_settings *settings;
    const struct catalog *catalog;
    bool wants_to_write;
    bool is_in_doubt;  /* see session_take_doubt */
    size_t setting_up; /* number of the statement whose Sync comes next; NO_STATEMENT: none does */
    PGresult *refused; /* the error of that statement; NULL: none so far */
    bool is_set_up_refused;     /* a statement of the set-up met an error */
    struct server server;       /* {0} if it was not asked or does not say */
    struct timeline *timeline;  /* of the server's system; NULL: unknown */
    bool prepared[CATALOG_MAX]; /* by the statement's number */
    bool unfit[CATALOG_MAX];    /* was logged already */
};

/* dial.c: the descriptor to wait for while the session connects. */
int dial_fd(const struct session *session);
void dial_free(struct dial *dial); /* NULL is allowed */

/* session.c: libpq's receiver of notices; context is the session. */
void session_take_notice(void *context, const PGresult *notice);

/* set_up.c: sends the statements that set the session up. */
MUST_CHECK bool set_up_send(const struct session *session);

/* Reads those answers to the set-up, or to a trial, that have come, up to the answers about the
 * statement `last`, included. False when the session is lost. */
MUST_CHECK bool set_up_read(struct session *session, size_t last, struct session_failure *failure);

/* The number of the first statement, from number on, that is of one of the session's lanes;
 * NO_STATEMENT if there is none. */
size_t set_up_next(const struct session *session, size_t number);

#endif
