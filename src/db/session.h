/* One PostgreSQL session: connected and set up, or not at all. Then it is in libpq's pipeline mode, for
 * db/pipeline.h, which prepares each statement when the session first runs it: what a session never
 * runs costs nothing, and set-up is one round trip. Nothing here waits for the server, the network or
 * the resolver unless it is given a deadline. */
#ifndef CRUDDUR_DB_SESSION_H
#define CRUDDUR_DB_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/counter.h"
#include "db/catalog.h"

struct pg_conn;
struct session;

enum { SESSION_SERVER_VERSION_MIN = 150000 /* as libpq has it */ };

struct session_counts {
    counter begun;
    counter failed;   /* attempts to begin one */
    counter ended;    /* by whomever */
    _Atomic int open; /* sessions that are ready at this moment */
};

struct session_settings {
    const char *url; /* NULL: read from url_file at each connect */
    const char *url_file;
    const char *application_name;
    int statement_timeout_ms; /* the server's own limit */
    bool prepares;            /* false: send the text each time and set each transaction up, for a
                                 pooler in transaction mode, whose sessions are not ours */
    unsigned lanes;           /* set (LANE_SET) of those whose statements it runs */
    struct session_counts *counts; /* NULL: nobody counts */
};

/* Why there is no session: a line of text, or a line for each statement that the database refuses,
 * with file and line. May name host and user, never the password. */
struct session_failure {
    char text[4096];
    bool is_unfit;   /* the database answered, but its schema doesn't fit the statements */
    bool is_refused; /* the server refuses the settings: the log-in, the database, a parameter */
    bool lacks_slot; /* the server has as many sessions as it takes */
};

enum session_state {
    SESSION_CONNECTING,
    SESSION_HELD_UP, /* connecting; an address has failed, or the server has been silent for long */
    SESSION_READY,
    SESSION_FAILED /* every address has failed */
};

enum {
    /* For the resolver, whose queries end by themselves (RES_OPTIONS), one after the other. */
    SESSION_LOOK_UP_MS = 5000,
    /* For an address to accept the connection, unless connect_timeout says otherwise; and for a
     * server to say its next word of the log-in while there are other addresses to try. */
    SESSION_ADDRESS_MS = 2000,
    /* For a server that has accepted the connection to say its next word, when there is no other
     * address left: a log-in may take its time, where the server asks a directory, say. */
    SESSION_WORD_MS = 15000
};

/* What attempts to connect know of those before. Zeroed: nothing. Addresses stand in it by a hash. */
struct session_memory {
    uint64_t last;      /* the address of the last session or attempt: the next starts behind it */
    uint64_t silent[8]; /* gave no answer: they come last. A ring. */
    unsigned silent_next;
};

/* Begins to connect, by what libpq's rules give as host, hostaddr and port: from the string, its
 * service, the environment. Every address is tried once, those that memory advises against last;
 * memory is brought up to date and must outlive the session. NULL when all fail at once. */
struct session *session_start(const struct session_settings *settings,
                              const struct catalog *catalog, struct session_memory *memory,
                              struct session_failure *failure);

/* Goes on connecting; to be called when the socket is ready, or at session_next_us. The socket may be
 * another one afterwards, even with the same number: take it out of any epoll set before. failure is
 * filled in with SESSION_HELD_UP and SESSION_FAILED, and for nothing else. */
enum session_state session_advance(struct session *session, bool is_ready,
                                   struct session_failure *failure);

/* When a session that connects is to be advanced though its socket isn't ready. Monotonic, in µs. */
int64_t session_next_us(const struct session *session);

int session_fd(const struct session *session);
bool session_wants_to_write(const struct session *session); /* else only to read */

/* Waits for the socket. False at the deadline (monotonic, as all of them). */
bool session_wait(const struct session *session, int64_t deadline_us);

/* Connects and waits until that is done. NULL when it didn't work by the deadline. */
struct session *session_open(const struct session_settings *settings, const struct catalog *catalog,
                             struct session_memory *memory, int64_t deadline_us,
                             struct session_failure *failure);

/* Whether the schema fits every statement of the session's lanes and the database lets this role run it.
 * What it refuses is added to failure. Rights to unprepared statements are not looked at. */
bool session_may_run_all(struct session *session, int64_t deadline_us,
                         struct session_failure *failure);

/* Whether the role has superuser rights. */
bool session_is_superuser(const struct session *session);

/* Whether the connection goes over TCP and the server's certificate and name are not verified (sslmode is not verify-full). */
bool session_is_unverified(const struct session *session);

/* Has session_close end the connection at once: over TCP nothing that was sent and not received is
 * sent again. */
void session_abandon(const struct session *session);

/* NULL is allowed. */
void session_close(struct session *session);

/* libpq's connection, for the pipeline. */
struct pg_conn *session_pg(const struct session *session);
const struct session_settings *session_settings(const struct session *session);
const struct catalog *session_catalog(const struct session *session);

/* Whether a statement of that name was sent to be prepared, and wasn't refused. */
bool session_has_prepared(const struct session *session, const struct prepared *statement);
void session_note_prepared(struct session *session, const struct prepared *statement,
                           bool is_prepared);

/* The schema doesn't fit the statement. Whether that is new to this session. */
bool session_note_unfit(struct session *session, const struct prepared *statement);

/* Sends the statement that sets a session, or a transaction, up. False when the session is lost. */
bool session_send_begin(const struct session *session, bool is_local);

/* Reads what has arrived, without waiting for more. False when the session is lost. */
bool session_receive(struct session *session);

/* Sends what the socket didn't take before. False when the session is lost. */
bool session_flush(struct session *session);

/* What libpq has to say of a session that is lost. */
const char *session_error(const struct session *session);

/* Whether the server has said since the last call that a commit did not wait for the synchronous
 * standby to its end. What was written may then be lost in a failover. */
bool session_take_doubt(struct session *session);

#endif
