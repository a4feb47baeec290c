/* A worker's persistent connection to the database, as its requests see it: statements go in,
 * results come out, many at a time, and no call blocks. A server that restarts, fails over,
 * deadlocks or hangs is dealt with here, once for every route. */
#ifndef CRUDDUR_DB_CONNECTION_H
#define CRUDDUR_DB_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "db/pipeline.h"

struct connection;

struct result;
struct statement;

/* Is called for each statement of a recorded trace when it is done, before the statement's own
 * callback. submitted_us: monotonic. */
typedef void statement_observe(void *context, const struct statement *statement,
                               int64_t submitted_us, const struct result *result);

struct connection_settings {
    struct session_settings session;
    int deadline_ms;  /* for one statement, queueing, reconnecting and sending it again included */
    int units_max;    /* sent at a time; how far the server may be behind */
    bool logs_values; /* parameter values at debug level */
    bool gives_up;    /* what a session loses fails at once, and is not sent on the next one */
    statement_observe *observe; /* NULL: no trace is recorded */
    void *observer;             /* its context */
};

enum {
    CONNECTION_UNITS_MAX = 8, /* as a rule */
    /* Behind a pooler: PgBouncer before 1.21 cannot take a statement while it answers the one
     * before it. */
    CONNECTION_UNPREPARED_UNITS_MAX = 1,
    /* Of a statement whose session was lost. More than one, as a server that crashes accepts new
     * sessions for a moment before it ends all of them. */
    CONNECTION_RESENDS_MAX = 2,
    CONNECTION_REPEATS_MAX = 2, /* of a statement that met a deadlock or serialization failure */
    CONNECTION_BATCH_MAX = 32,  /* statements in one unit */
    /* Statements that wait to be sent, as many as an nginx worker of 1024 connections can request
     * at a time; one more is refused. */
    CONNECTION_QUEUE_MAX = 512,
    CONNECTION_AWAY_MAX = 8 /* that wait for an attempt to connect in a known outage */
};

/* Connects at the first statement. settings and catalog must outlive it. Its socket is in the set
 * epoll_fd, with event_data as data.ptr, whenever there is something to wait for; with -1 it is in
 * none. */
struct connection *connection_new(const struct connection_settings *settings,
                                  const struct catalog *catalog, int epoll_fd, void *event_data);

/* NULL is allowed. What was submitted and isn't done is forgotten. */
void connection_free(struct connection *connection);

/* As link_fits. */
MUST_CHECK bool connection_fits(struct connection *connection,
                                bool (*is_reached)(const void *context), const void *context);

/* Has the statement run and then calls done, exactly once, also when nothing works; that may be
 * before this returns. The statement and its values must live until then.
 *
 * Statements that may share a unit (see catalog.h) do so when they have to wait for others anyway.
 * A session that is lost under a statement is made anew and the statement sent again, which is safe
 * as every statement can be repeated. When the database has stayed away longer than the deadline
 * later statements fail at once with STATUS_DATABASE_UNAVAILABLE, but for a few that wait for one
 * attempt to connect per back-off interval. */
void connection_submit(struct connection *connection, const struct statement *statement,
                       statement_done *done, void *context);

/* Forgets a statement by its context, without calling done, if nothing of it is under way.
 * False: it is done in any case. */
bool connection_cancel(struct connection *connection, const void *context);

/* A connection, or something that passes statements on to one. The functions do what
 * connection_submit and connection_cancel do. */
struct statement_runner {
    void (*submit)(void *context, const struct statement *statement, statement_done *done,
                   void *done_context);
    bool (*cancel)(void *context, const void *done_context);
    void *context;
};

/* Sends queued statements, reads results if the socket is readable, and fails statements whose
 * deadline has passed. Does not block. */
void connection_proceed(struct connection *connection, bool is_ready);

/* Milliseconds until connection_proceed has something to do without the socket being ready; -1:
 * nothing. */
int connection_wait_ms(const struct connection *connection);

/* Whether there is no session because the server has as many as it takes. */
bool connection_lacks_slot(const struct connection *connection);

/* Whether the last attempt to connect has ended and the server refused the login, the database or a
 * parameter. False while another address is being tried. */
bool connection_is_refused(const struct connection *connection);

bool connection_is_ready(const struct connection *connection);

/* How many addresses the last attempt to connect had; 0: none was found. */
size_t connection_addresses(const struct connection *connection);

/* Which server the session is with, as session_run(). It must be ready. */
int64_t connection_run(const struct connection *connection);

/* Has the next connection_proceed() give the session up: a callback may call this while the session is
 * being read. The next session begins at the next address. */
void connection_renew(struct connection *connection);

/* Connects when it is time, as if there were a statement. */
void connection_want(struct connection *connection);

/* Moves the queue of one connection, which has no session, to another, which is ready. The first
 * one goes on connecting. */
void connection_pass_on(struct connection *connection, struct connection *other);

/* Waits until everything submitted is done. */
void connection_finish(struct connection *connection);

#endif
