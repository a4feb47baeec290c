/* What all requests of a process share. */
#ifndef CRUDDUR_WORKER_SERVICE_H
#define CRUDDUR_WORKER_SERVICE_H

#include <stdbool.h>

#include "api/endpoint.h"
#include "db/connection.h"
#include "db/pipeline.h"
#include "home/cache.h"
#include "http/cors.h"
#include "identity/caller.h"
#include "identity/keyring.h"
#include "shared/scoreboard.h"
#include "worker/metrics.h"
#include "worker/reads.h"
#include "worker/watch.h"

struct catalog;
struct config;
struct keypage_link;
struct replicas;
struct router;
struct span_ring;
struct spans;
struct timelines;
struct tracer;
struct turns;
struct viewers;

struct service {
    const struct config *config;
    struct router *router;
    /* A connection for each lane, which begins its session when it gets its first statement. No
     * statement is sent to LANE_HOOK unless there is a hook. The replica's lanes are the last, and
     * exist only if the settings name a replica. */
    struct service_lane {
        struct service *service;
        struct connection *connection;
        struct statement_runner runner; /* on this connection, or one that stands in for it */
        struct connection_settings settings;
        char name[40]; /* application_name */
        struct watch watch;
        bool is_ready; /* an event of this turn of the loop: the socket is readable or writable */
    } lanes[LANE_WORKER_COUNT];
    int lane_count;
    struct replicas *all_replicas;       /* of the pool; NULL without a pool */
    struct replicas *replicas;           /* the same; NULL: this worker reads from none */
    struct reads fast_reads, slow_reads; /* of LANE_READ and LANE_SLOW, if there are replicas */
    bool is_sharing;           /* a connection without a session has another one stand in for it */
    struct turns *slow_turns;  /* of LANE_SLOW */
    struct turns *write_turns; /* of LANE_WRITE, for the statements that take turns */
    struct keyring_settings keyring_settings;
    struct cache_settings cache_settings;
    struct cache *cache;     /* NULL: nothing is cached */
    struct viewers *viewers; /* NULL where cache is */
    struct identity identity;
    struct refusals *refusals; /* NULL without a pool */
    struct cors cors;
    struct tracer *tracer; /* NULL: no trace is recorded */
    struct metrics_pool metrics_pool;
    struct metrics_source metrics_source; /* write is NULL without a pool */
};

/* What a worker's service shares with the rest of the pool. */
struct service_links {
    const struct keypage_link *keypage; /* as in config_keyring */
    struct mark *mark;                  /* NULL: nothing is cached */
    struct score *score;                /* NULL: there is no pool; then mark is NULL, too */
    const struct scoreboard *scoreboard;
    struct timelines *timelines; /* as in session_settings */
    struct pool_claims *claims;  /* NULL without a pool */
    size_t slot;                 /* of score in the scoreboard, for the claims */
    struct replicas *replicas;   /* NULL without a pool */
    const struct spans *spans;   /* for the metrics; NULL: there are none */
    struct span_ring *ring;      /* the worker's own ring in spans; NULL: no trace is recorded */
    int epoll_fd;                /* as in connection_new */
};

/* name is the application_name of the database sessions. All arguments must outlive the service. */
void service_init(struct service *service, const struct config *config,
                  const struct catalog *catalog, const char *name,
                  const struct service_links *links);

/* Whether the database accepts the settings and its schema fits, as connection_fits() says for each
 * lane of the primary. The scoreboard says whether other workers have sessions. */
bool service_fits(struct service *service, const struct scoreboard *scoreboard);

/* A statement that is to be run for a request. The caller owns the submission and does not change
 * it until done is called or service_cancel() has returned true. */
struct submission {
    const struct statement *statement;
    const char *requester; /* as in turns_submit */
    cache_done *done;
    void *context;           /* of done */
    struct service *service; /* service_submit() sets it */
};

/* Runs the statement on the connection of its lane, or answers it from the cache. Calls done
 * exactly once, possibly before this function returns. Any result of a write, including a failure,
 * makes all cached pages of the pool stale before done is called, because a write that failed may
 * have been committed. */
void service_submit(struct service *service, struct submission *submission);

/* As connection_cancel. */
bool service_cancel(struct service *service, const struct submission *submission);

/* As connection_proceed and connection_wait_ms, for all connections. */
void service_proceed(struct service *service);
int service_wait_ms(const struct service *service);

/* As connection_finish. */
void service_finish(struct service *service);

void service_release(struct service *service);

#endif
