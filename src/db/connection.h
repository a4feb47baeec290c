/* A persistent connection to the database. Requests submit statements and get results, many at a
 * time. Only connection_fits() and connection_finish() block. Restarts and failovers of the
 * server, deadlocks and a server that hangs are handled here, once for every route. */
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

/* Is called for each statement of a recorded trace when the statement is done, before its own
 * callback. submitted_us: monotonic. */
typedef void statement_observe(void *context, const struct statement *statement,
                               int64_t submitted_us, const struct result *result);

struct connection_settings {
    struct session_settings session;
    int deadline_ms;  /* for one statement, queueing, reconnecting and sending it again included */
    int units_max;    /* units that may be sent without being answered yet */
    bool logs_values; /* parameter values at debug level */
    bool gives_up;    /* statements fail at once, instead of waiting, if there is no session */
    statement_observe *observe; /* NULL: no trace is recorded */
    void *observer;             /* its context */
};

enum {
    CONNECTION_UNITS_MAX = 8, /* units_max as a rule */
    /* units_max behind a pooler: PgBouncer before 1.21 cannot take a statement while it answers
     * the one before it. */
    CONNECTION_UNPREPARED_UNITS_MAX = 1,
    /* How often a statement is sent again after its session was lost. More than once, because a
     * server that crashes accepts new sessions for a moment before it ends all of them. */
    CONNECTION_RESENDS_MAX = 2,
    CONNECTION_REPEATS_MAX = 2, /* after a deadlock or serialization failure */
    CONNECTION_BATCH_MAX = 32,  /* statements in one unit */
    /* Statements that wait to be sent, as many as an nginx worker of 1024 connections can request
     * at a time; one more is refused. */
    CONNECTION_QUEUE_MAX = 512,
    CONNECTION_AWAY_MAX = 8 /* statements that wait for an attempt in a known outage */
};

/* The connection connects at its first statement. settings and catalog must outlive it. The
 * connection's socket is in the epoll set epoll_fd, with event_data as data.ptr, whenever there is
 * something to wait for; with epoll_fd -1 it is in no set. */
struct connection *connection_new(const struct connection_settings *settings,
                                  const struct catalog *catalog, int epoll_fd, void *event_data);

/* NULL is allowed. Statements that were submitted and are not done are forgotten, without calling
 * done. */
void connection_free(struct connection *connection);

/* As link_fits. */
MUST_CHECK bool connection_fits(struct connection *connection,
                                bool (*is_reached)(const void *context), const void *context);

/* Queues the statement, and calls done exactly once when it has run or has failed, which may be
 * before this function returns. The statement and its values must live until then.
 *
 * Statements that may share a unit (may_share in statement.h) do so when they have to wait for
 * others anyway. If the session is lost while a statement is under way, a new session is made and
 * the statement is sent again, which is safe because every statement can be repeated. When the
 * database has been away for longer than the deadline, later statements fail at once with
 * STATUS_DATABASE_UNAVAILABLE, except for a few that wait for one attempt to connect per back-off
 * interval. */
void connection_submit(struct connection *connection, const struct statement *statement,
                       statement_done *done, void *context);

/* Removes the statement with this context from the queue, without calling done. Returns false, and
 * done will be called, if the statement is under way, or is a write that may be done. */
bool connection_cancel(struct connection *connection, const void *context);

/* A connection, or an object that passes statements on to one. The functions do what
 * connection_submit() and connection_cancel() do. */
struct statement_runner {
    void (*submit)(void *context, const struct statement *statement, statement_done *done,
                   void *done_context);
    bool (*cancel)(void *context, const void *done_context);
    void *context;
};

/* Sends queued statements, reads results if the socket is readable, and fails statements whose
 * deadline has passed. Does not block. */
void connection_proceed(struct connection *connection, bool is_ready);

/* Milliseconds until connection_proceed() must be called though the socket is not ready; -1: it
 * need not be called. */
int connection_wait_ms(const struct connection *connection);

/* Whether there is no session because the server has no slot left. */
bool connection_lacks_slot(const struct connection *connection);

/* Whether the last attempt to connect has ended and the server refused the login, the database or a
 * parameter. False while another address is being tried. */
bool connection_is_refused(const struct connection *connection);

bool connection_is_ready(const struct connection *connection);

/* How many addresses the last attempt to connect had; 0: none was found. */
size_t connection_addresses(const struct connection *connection);

/* The run of the session's server, as session_run(). The connection must be ready. */
int64_t connection_run(const struct connection *connection);

/* Makes the next connection_proceed() close the session. It is not closed at once, so that a
 * callback may call this while the session is being read. The next session begins at the next
 * address. */
void connection_renew(struct connection *connection);

/* Makes connection_proceed() connect when an attempt is due, as if a statement were queued. */
void connection_want(struct connection *connection);

/* Moves the queue of connection, which has no session, to other, which is ready. Writes that a
 * lost session may still run are not moved. connection goes on connecting. */
void connection_pass_on(struct connection *connection, struct connection *other);

/* Waits until all submitted statements are done. */
void connection_finish(struct connection *connection);

#endif
