/* Keeps a session with the database: makes a new one, with pauses between the attempts, when one is
 * wanted and there is none, and keeps its socket in an epoll set. It knows nothing of the
 * statements that run on the session. */
#ifndef CRUDDUR_DB_LINK_H
#define CRUDDUR_DB_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "db/backoff.h"
#include "db/dial.h"
#include "db/session.h"

enum {
    LINK_FITS_MS = 25000, /* for link_fits, while other processes have sessions */
    LINK_RETRY_MS = 50    /* between attempts until the outage is known (link_is_away) */
};

struct link {
    const struct session_settings *settings;
    struct session_counts *counts;
    const struct catalog *catalog;
    struct session *session; /* NULL while there is none */
    bool is_ready;           /* false: it is still connecting */
    bool served_any;         /* set by the user: the session has answered a statement */
    struct session_memory memory;
    int64_t away_since_us; /* when the first address failed; 0: the last attempt succeeded */
    int patience_ms;       /* how long attempts must fail before the outage is known */
    struct backoff backoff;
    struct session_failure failure; /* of the last attempt */
    bool lacks_slot;                /* that attempt failed because the server has no slot left */
    bool is_logged;                 /* the outage is in the log */
    bool is_unfit;                  /* … with the schema as its cause */
    int64_t logged_ms;
    void *event_data; /* data.ptr of its events */
    int epoll_fd;
    int watched_fd; /* -1: none */
    uint32_t watched_events;
};

/* With epoll_fd -1 the socket is in no set. The arguments must outlive the link. */
void link_init(struct link *link, const struct session_settings *settings, int patience_ms,
               const struct catalog *catalog, int epoll_fd, void *event_data);
void link_release(struct link *link);

/* Each returns false when an attempt to connect has failed, or when one address has failed or has
 * been silent for long. */
MUST_CHECK bool
link_connect_if_due(struct link *link); /* begins one if there is no session and it is due */
MUST_CHECK bool link_go_on_connecting(struct link *link); /* the socket is ready */
MUST_CHECK bool link_expire(struct link *link);           /* reports or leaves a silent address */

/* Closes the session. link_drop_and_wait() also delays the next attempt by LINK_RETRY_MS if the
 * session never answered a statement: a crashing server accepts connections for a moment before
 * it closes all of them. */
void link_drop(struct link *link);
void link_drop_and_wait(struct link *link);

/* Updates the epoll set. Call this after anything that may have changed the wanted events. */
void link_watch(struct link *link);

/* Whether the outage is known: attempts have failed for patience_ms, or the schema does not fit.
 * New statements need not wait then. */
bool link_is_away(const struct link *link);

/* Whether the pause before the next attempt is not over. */
bool link_is_pausing(const struct link *link);

/* The time at which the link must act, if a session is wanted, though the socket is not ready. */
int64_t link_next_us(const struct link *link);

/* Connects, waits for the session, and tries all statements. Returns false, with the reason in the
 * log, if the database refuses the settings, if its schema does not fit the statements, or if
 * there can be no session although is_reached() says that other processes have theirs. Returns
 * true without a session if the database is away for all processes, or has no slot left: neither
 * is a fault of the settings, and the workers that are replaced free their slots. */
MUST_CHECK bool link_fits(struct link *link, bool (*is_reached)(const void *context),
                          const void *context);

#endif
