#include "worker/service.h"

#include <stdio.h>

#include "api/activities.h"
#include "api/routes.h"
#include "api/social.h"
#include "base/clock.h"
#include "base/log.h"
#include "config/config.h"
#include "home/mark.h"
#include "home/viewers.h"
#include "http/router.h"
#include "shared/replicas.h"
#include "worker/metrics.h"
#include "worker/tracer.h"
#include "worker/turns.h"

enum { WRITE_UNITS_MAX = 1 }; /* writes gather for the next unit while one commits */

/* What application_name ends with. */
static const char *const SUFFIXES[LANE_WORKER_COUNT] = {
    [LANE_READ] = "",      [LANE_WRITE] = " writing",   [LANE_SLOW] = " slow",
    [LANE_HOOK] = " hook", [LANE_REPLICA] = " replica", [LANE_REPLICA_SLOW] = " replica slow"};

static bool is_of_replica(int lane)
{
    return lane == LANE_REPLICA || lane == LANE_REPLICA_SLOW;
}

/* Whether a session of one lane may run the statements of the other. */
static bool share_login(const struct service *service, int lane, int other)
{
    bool is_same =
        service->config->hook_url_file == NULL || (lane == LANE_HOOK) == (other == LANE_HOOK);

    return is_same && !is_of_replica(lane) && !is_of_replica(other);
}

/* The connection that stands in for the lane's own, which gets no session because the server has no
 * slot left; NULL: none. The lane's own connection keeps trying meanwhile. */
static struct connection *stand_in(struct service *service, int lane)
{
    struct connection *other = NULL;

    if (!connection_lacks_slot(service->lanes[lane].connection)) {
        return NULL;
    }
    for (int i = 0; i < service->lane_count && other == NULL; i++) {
        if (share_login(service, lane, i) && connection_is_ready(service->lanes[i].connection)) {
            other = service->lanes[i].connection;
        }
    }
    if (other != NULL && !service->is_sharing) {
        log_message(LOG_WARNING, "database",
                    "reads and writes share a session: there are fewer than the %d that %d workers "
                    "want; see cruddurd --check",
                    config_sessions(service->config), service->config->workers);
        service->is_sharing = true;
    }
    return other;
}

static struct connection *connection_for(struct service *service, int lane)
{
    struct connection *own = service->lanes[lane].connection, *other = stand_in(service, lane);

    if (other != NULL) {
        connection_want(own);
    }
    return other != NULL ? other : own;
}

static void submit_statement(void *context, const struct statement *statement, statement_done *done,
                             void *done_context)
{
    struct service_lane *lane = context;
    int number = (int)(lane - lane->service->lanes);

    connection_submit(connection_for(lane->service, number), statement, done, done_context);
}

static bool cancel_statement(void *context, const void *done_context)
{
    struct service *service = ((struct service_lane *)context)->service;

    for (int i = 0; i < service->lane_count; i++) {
        if (connection_cancel(service->lanes[i].connection, done_context)) {
            return true;
        }
    }
    return false;
}

/* service_proceed() handles the event after the events of all clients, so that their statements are
 * sent together. */
static void lane_ready(void *of, uint32_t events)
{
    struct service_lane *lane = of;

    (void)events;
    lane->is_ready = true;
}

/* Half of the deadline is left for the primary, if the replica gives no answer. */
static void use_replica(const struct config *config, int lane, struct connection_settings *settings)
{
    config_use_replicas(config, settings);
    settings->session.lanes = LANE_SET(lane == LANE_REPLICA ? LANE_READ : LANE_SLOW);
    settings->deadline_ms /= 2;
    settings->gives_up = true;
    settings->session.is_replica = true;
}

static void open_lane(struct service *service, int number, const struct catalog *catalog,
                      const char *name, const struct service_links *links)
{
    struct service_lane *lane = &service->lanes[number];

    snprintf(lane->name, sizeof lane->name, "%s%s", name, SUFFIXES[number]);
    lane->settings = config_connection(service->config, lane->name);
    lane->settings.session.lanes = LANE_SET(number);
    if (number == LANE_HOOK) {
        config_use_hook_login(service->config, &lane->settings);
    }
    if (number == LANE_WRITE || number == LANE_HOOK) {
        lane->settings.units_max = WRITE_UNITS_MAX;
    }
    if (is_of_replica(number)) {
        use_replica(service->config, number, &lane->settings);
    }
    if (number == LANE_SLOW || number == LANE_REPLICA_SLOW) {
        lane->settings.session.statement_timeout_ms = service->config->slow_timeout;
    }
    lane->settings.session.counts = links->score != NULL ? &links->score->sessions[number] : NULL;
    lane->settings.session.timelines = is_of_replica(number) ? NULL : links->timelines;
    if (service->tracer != NULL) {
        lane->settings.observe = tracer_statement;
        lane->settings.observer = service->tracer;
    }
    lane->service = service;
    lane->runner = (struct statement_runner){submit_statement, cancel_statement, lane};
    lane->watch = (struct watch){lane_ready, lane};
    lane->connection = connection_new(&lane->settings, catalog, links->epoll_fd, &lane->watch);
}

/* Opens the reads of a lane that has a lane with a replica beside it. */
static void open_reads(struct service *service, struct reads *reads, enum lane primary,
                       enum lane replica, struct replica_counts *counts)
{
    *reads =
        (struct reads){.replicas = service->replicas,
                       .counts = counts,
                       .primary = &service->lanes[primary].runner,
                       .connection = service->lanes[replica].connection,
                       .bound_us = service->config->replica_lag * INT64_C(1000),
                       .stale_us = service->config->replica_stale * INT64_C(1000000),
                       .end_us = service->config->stuck_timeout * INT64_C(1000),
                       .replica_us = service->lanes[replica].settings.deadline_ms * INT64_C(1000)};
    reads_init(reads);
}

static void open_lanes(struct service *service, const struct catalog *catalog, const char *name,
                       const struct service_links *links)
{
    for (int i = 0; i < service->lane_count; i++) {
        open_lane(service, i, catalog, name, links);
    }
    if (service->replicas != NULL) {
        struct replica_counts *counts = &links->score->replica;

        open_reads(service, &service->fast_reads, LANE_READ, LANE_REPLICA, counts);
        open_reads(service, &service->slow_reads, LANE_SLOW, LANE_REPLICA_SLOW, counts);
    }
}

/* The runner of a lane: its reads if it may use replicas, else its connection. */
static const struct statement_runner *runner_of(const struct service *service, enum lane lane)
{
    if (service->replicas != NULL && lane == LANE_READ) {
        return &service->fast_reads.runner;
    }
    if (service->replicas != NULL && lane == LANE_SLOW) {
        return &service->slow_reads.runner;
    }
    return &service->lanes[lane].runner;
}

/* The wait for a turn and the statement's run end within about one deadline. */
static void open_turns(struct service *service, const struct service_links *links)
{
    const struct config *config = service->config;
    const struct turns_settings slow = {.runner = runner_of(service, LANE_SLOW),
                                        .patience_ms = config->deadline - config->slow_timeout,
                                        .waiting_max = TURNS_SLOW_WAITING_MAX,
                                        .claims =
                                            links->claims != NULL ? &links->claims->slow : NULL,
                                        .slot = links->slot};
    const struct turns_settings writes = {
        .runner = runner_of(service, LANE_WRITE),
        .patience_ms = config->deadline - config->statement_timeout,
        .waiting_max = TURNS_WRITES_WAITING_MAX,
        .claims = links->claims != NULL ? &links->claims->writes : NULL,
        .slot = links->slot};

    service->slow_turns = turns_new(&slow);
    service->write_turns = turns_new(&writes);
}

void service_init(struct service *service, const struct config *config,
                  const struct catalog *catalog, const char *name,
                  const struct service_links *links)
{
    *service = (struct service){
        .config = config,
        .router = router_new(),
        .keyring_settings = config_keyring(config, links->keypage),
        .identity = {.mode = (enum identity_mode)config->identity,
                     .rules = {.issuer = config->issuer, .client_id = config->cognito_client}},
        .refusals = links->score != NULL ? &links->score->refusals : NULL,
        .cors = {.origins = {config->frontend_url, config->backend_url}},
        .all_replicas = links->replicas,
        .replicas = config_has_replicas(config) ? links->replicas : NULL,
    };
    service->lane_count = service->replicas != NULL ? LANE_WORKER_COUNT : LANE_REPLICA;
    routes_add(service->router, config->hook_secret_fd > 0);
    if (links->ring != NULL && config->otlp_endpoint != NULL) {
        service->tracer = tracer_new(links->ring, config->otlp_sample);
    }
    open_lanes(service, catalog, name, links);
    open_turns(service, links);
    service->cache_settings.mark = links->mark;
    service->cache_settings.wants_week4 = config->compat == COMPAT_WEEK4;
    if (links->mark != NULL && config->feed_watch > 0) {
        service->cache_settings.home = &ACTIVITIES_HOME;
        service->cache_settings.watch_ms = config->feed_watch;
        service->cache_settings.stale_s = config->feed_stale;
        service->cache_settings.counts = &links->score->cache;
        service->cache = cache_new(&service->cache_settings, &service->lanes[LANE_READ].runner);
        service->viewers =
            viewers_new(service->cache, &service->lanes[LANE_READ].runner, &SOCIAL_HIDDEN);
    }
    if (links->scoreboard != NULL) {
        service->metrics_pool =
            (struct metrics_pool){links->scoreboard, links->replicas, links->spans};
        service->metrics_source = (struct metrics_source){metrics_write, &service->metrics_pool};
    }
    if (config->issuer != NULL) {
        service->identity.keyring = keyring_new(&service->keyring_settings);
    }
}

bool service_fits(struct service *service, const struct scoreboard *scoreboard)
{
    bool fits = true;

    for (int i = 0; i < LANE_REPLICA; i++) {
        bool is_used = i != LANE_HOOK || service->config->hook_secret_fd > 0;

        fits = fits && (!is_used || connection_fits(service->lanes[i].connection,
                                                    scoreboard_has_sessions, scoreboard));
    }
    return fits;
}

static bool is_write(const struct statement *statement)
{
    enum lane lane = statement->def->lane;

    return lane == LANE_WRITE || lane == LANE_HOOK;
}

/* The write is noted even if this worker reads from no replica: others may, after a HUP has changed
 * that setting. */
static void note_write(const struct service *service, const struct statement *statement,
                       const struct result *result)
{
    struct replicas *replicas = service->all_replicas;

    if (replicas == NULL || !is_write(statement) || !atomic_load(&replicas->is_used)) {
        return;
    }
    if (result_is_ok(result)) {
        replicas_note_acknowledged(replicas, result->xid);
    }
    replicas_note_write(replicas, clock_us());
}

/* The result of a statement that was sent. */
static void submission_done(void *context, const struct result *result)
{
    const struct submission *submission = context;
    struct mark *mark = submission->service->cache_settings.mark;

    /* After a HUP that turned the cache off, this worker has none, while older workers may still
     * have one. */
    if (mark != NULL && is_write(submission->statement)) {
        mark_add_write(mark);
    }
    note_write(submission->service, submission->statement, result);
    submission->done(submission->context, result, NULL);
}

/* False: the statement must be sent. */
static bool submit_to_cache(struct service *service, const struct submission *submission)
{
    const struct statement *statement = submission->statement;

    if (service->cache == NULL || !cache_accepts(service->cache, statement)) {
        return false;
    }
    if (viewers_accepts(statement)) {
        viewers_submit(service->viewers, statement, submission->done, submission->context);
        return true;
    }
    return cache_submit(service->cache, statement, submission->done, submission->context);
}

void service_submit(struct service *service, struct submission *submission)
{
    const struct statement *statement = submission->statement;
    enum lane lane = statement->def->lane; /* below LANE_WORKER_COUNT in all handlers' statements */

    submission->service = service;
    if (submit_to_cache(service, submission)) {
        return;
    }
    if (lane == LANE_SLOW) {
        turns_submit(service->slow_turns, statement, submission->requester, submission_done,
                     submission);
    } else if (statement->def->takes_turns) {
        turns_submit(service->write_turns, statement, submission->requester, submission_done,
                     submission);
    } else {
        const struct statement_runner *runner = runner_of(service, lane);

        runner->submit(runner->context, statement, submission_done, submission);
    }
}

bool service_cancel(struct service *service, const struct submission *submission)
{
    const struct statement_runner *reads = runner_of(service, LANE_READ);

    return turns_cancel(service->slow_turns, submission) ||
           turns_cancel(service->write_turns, submission) ||
           reads->cancel(reads->context, submission);
}

/* Moves the queue of a connection that gets no session to the connection that stands in for it. */
static void pass_queues_on(struct service *service)
{
    bool lacks = false;

    for (int i = 0; i < LANE_REPLICA; i++) {
        struct connection *own = service->lanes[i].connection, *other = stand_in(service, i);

        lacks = lacks || connection_lacks_slot(own);
        if (other != NULL) {
            connection_pass_on(own, other);
        }
    }
    service->is_sharing = service->is_sharing && lacks;
}

/* The replica's connections first, because reads that they fail are submitted to the primary's. */
static void proceed_lanes(struct service *service)
{
    for (int i = service->lane_count - 1; i >= 0; i--) {
        struct service_lane *lane = &service->lanes[i];
        bool is_ready = lane->is_ready;

        lane->is_ready = false;
        connection_proceed(lane->connection, is_ready);
    }
}

static bool have_reads_returned(struct service *service)
{
    bool has_fast = reads_have_returned(&service->fast_reads);

    return reads_have_returned(&service->slow_reads) || has_fast;
}

/* The loop ends, because a read returns to the replica once at most. */
void service_proceed(struct service *service)
{
    turns_proceed(service->slow_turns);
    turns_proceed(service->write_turns);
    pass_queues_on(service);
    do {
        proceed_lanes(service);
    } while (have_reads_returned(service));
}

int service_wait_ms(const struct service *service)
{
    int first_ms =
        clock_sooner(turns_wait_ms(service->slow_turns), turns_wait_ms(service->write_turns));

    for (int i = 0; i < service->lane_count; i++) {
        int lane_ms = connection_wait_ms(service->lanes[i].connection);

        first_ms = clock_sooner(first_ms, lane_ms);
    }
    return first_ms;
}

void service_finish(struct service *service)
{
    do {
        for (int i = service->lane_count - 1; i >= 0; i--) {
            connection_finish(service->lanes[i].connection);
        }
    } while (have_reads_returned(service));
}

void service_release(struct service *service)
{
    viewers_free(service->viewers);
    cache_free(service->cache);
    turns_free(service->slow_turns);
    turns_free(service->write_turns);
    reads_release(&service->fast_reads);
    reads_release(&service->slow_reads);
    for (int i = 0; i < service->lane_count; i++) {
        connection_free(service->lanes[i].connection);
    }
    router_free(service->router);
    keyring_free(service->identity.keyring);
    tracer_free(service->tracer);
    *service = (struct service){0};
}
