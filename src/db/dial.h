/* Connecting a session, from the connection string to a session that is set up. */
#ifndef CRUDDUR_DB_DIAL_H
#define CRUDDUR_DB_DIAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "db/addresses.h"
#include "db/failure.h"
#include "db/session.h"

enum session_state {
    SESSION_CONNECTING,
    SESSION_HELD_UP, /* connecting; an address has failed, or the server has been silent for long */
    SESSION_READY,
    SESSION_FAILED /* every address has failed, or another one would not help */
};

enum {
    /* For the resolver. Its queries have time limits of their own (RES_OPTIONS), one after the
     * other. */
    SESSION_LOOK_UP_MS = 5000,
    /* For an address to accept the connection, unless connect_timeout says otherwise; and for a
     * server to send its next message of the log-in while there are other addresses to try. */
    SESSION_ADDRESS_MS = 2000,
    /* For a server that has accepted the connection to send its next message, when there is no
     * other address left: a log-in takes long if the server asks a directory, for instance. */
    SESSION_REPLY_MS = 15000
};

/* Begins to connect. host, hostaddr and port are those of libpq's rules: from the string, its
 * service, the environment. Every address is tried once; those that were silent before are tried
 * last. memory is updated and must outlive the session. NULL when the attempt fails at once. */
MUST_CHECK struct session *dial_start(const struct session_settings *settings,
                                      const struct catalog *catalog, struct session_memory *memory,
                                      struct session_failure *failure);

/* Goes on connecting. Call this when the socket is ready, or at dial_next_us(). The socket may be
 * another one afterwards, even with the same number: take it out of any epoll set before. failure
 * is set only for SESSION_HELD_UP and SESSION_FAILED. */
MUST_CHECK enum session_state dial_advance(struct session *session, bool is_ready,
                                           struct session_failure *failure);

/* When dial_advance() must be called for a session that connects, though its socket is not ready.
 * Monotonic, in µs. */
int64_t dial_next_us(const struct session *session);

/* Connects, and waits until the session is ready. NULL when there is none by the deadline. */
MUST_CHECK struct session *dial_open(const struct session_settings *settings,
                                     const struct catalog *catalog, struct session_memory *memory,
                                     int64_t deadline_us, struct session_failure *failure);

#endif
