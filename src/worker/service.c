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
#include "worker/metrics.h"
#include "worker/tracer.h"
#include "worker/turns.h"

enum { WRITE_UNITS_MAX = 1 }; /* while one is being committed the next one gathers */

/* What application_name ends with. */
static const char *const SUFFIXES[LANE_WORKER_COUNT] = {
    [LANE_READ] = "", [LANE_WRITE] = " writing", [LANE_SLOW] = " slow", [LANE_HOOK] = " hook"};

/* Whether a session of one of them may run what belongs to the other. */
static bool share_login(const struct service *service, int lane, int other)
{
    return service->config->hook_url_file == NULL || (lane == LANE_HOOK) == (other == LANE_HOOK);
}

/* The connection that stands in for one that gets no session, as the server has as many as it
 * takes, or NULL. The one that lacks it tries on meanwhile. */
static struct connection *stand_in(struct service *service, int lane)
{
    struct connection *other = NULL;

    if (!connection_lacks_slot(service->lanes[lane].connection)) {
        return NULL;
    }
    for (int i = 0; i < LANE_WORKER_COUNT && other == NULL; i++) {
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

    for (int i = 0; i < LANE_WORKER_COUNT; i++) {
        if (connection_cancel(service->lanes[i].connection, done_context)) {
            return true;
        }
    }
    return false;
}

/* service_proceed() uses the event, after those of all clients, so that what they ask for is sent
 * together. */
static void lane_ready(void *of, uint32_t events)
{
    struct service_lane *lane = of;

    (void)events;
    lane->is_ready = true;
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
    if (number == LANE_SLOW) {
        lane->settings.session.statement_timeout_ms = service->config->slow_timeout;
    }
    lane->settings.session.counts = links->score != NULL ? &links->score->sessions[number] : NULL;
    lane->settings.session.timelines = links->timelines;
    if (service->tracer != NULL) {
        lane->settings.observe = tracer_statement;
        lane->settings.observer = service->tracer;
    }
    lane->service = service;
    lane->runner = (struct statement_runner){submit_statement, cancel_statement, lane};
    lane->watch = (struct watch){lane_ready, lane};
    lane->connection = connection_new(&lane->settings, catalog, links->epoll_fd, &lane->watch);
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
    };
    routes_add(service->router, config->hook_secret_fd > 0);
    if (links->ring != NULL && config->otlp_endpoint != NULL) {
        service->tracer = tracer_new(links->ring, config->otlp_sample);
    }
    for (int i = 0; i < LANE_WORKER_COUNT; i++) {
        open_lane(service, i, catalog, name, links);
    }
    /* Waiting for a turn and running end within about one deadline. */
    service->slow_turns =
        turns_new(&service->lanes[LANE_SLOW].runner, config->deadline - config->slow_timeout,
                  TURNS_SLOW_WAITING_MAX);
    service->write_turns =
        turns_new(&service->lanes[LANE_WRITE].runner, config->deadline - config->statement_timeout,
                  TURNS_WRITES_WAITING_MAX);
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
        service->metrics_pool = (struct metrics_pool){links->scoreboard, links->spans};
        service->metrics_source = (struct metrics_source){metrics_write, &service->metrics_pool};
    }
    if (config->issuer != NULL) {
        service->identity.keyring = keyring_new(&service->keyring_settings);
    }
}

bool service_fits(struct service *service, const struct scoreboard *scoreboard)
{
    bool fits = true;

    for (int i = 0; i < LANE_WORKER_COUNT; i++) {
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

/* The result of a statement that was sent. */
static void submission_done(void *context, const struct result *result)
{
    const struct submission *submission = context;
    struct mark *mark = submission->service->cache_settings.mark;

    /* This worker may have no cache, after a HUP with that setting, while older workers have
     * one. */
    if (mark != NULL && is_write(submission->statement)) {
        mark_add_write(mark);
    }
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
        submit_statement(&service->lanes[lane], statement, submission_done, submission);
    }
}

bool service_cancel(struct service *service, const struct submission *submission)
{
    return turns_cancel(service->slow_turns, submission) ||
           turns_cancel(service->write_turns, submission) ||
           cancel_statement(&service->lanes[0], submission);
}

/* What waited when its connection learned that it gets no session. */
static void pass_queues_on(struct service *service)
{
    bool lacks = false;

    for (int i = 0; i < LANE_WORKER_COUNT; i++) {
        struct connection *own = service->lanes[i].connection, *other = stand_in(service, i);

        lacks = lacks || connection_lacks_slot(own);
        if (other != NULL) {
            connection_pass_on(own, other);
        }
    }
    service->is_sharing = service->is_sharing && lacks;
}

void service_proceed(struct service *service)
{
    pass_queues_on(service);
    for (int i = 0; i < LANE_WORKER_COUNT; i++) {
        struct service_lane *lane = &service->lanes[i];
        bool is_ready = lane->is_ready;

        lane->is_ready = false;
        connection_proceed(lane->connection, is_ready);
    }
}

int service_wait_ms(const struct service *service)
{
    int first_ms = -1;

    for (int i = 0; i < LANE_WORKER_COUNT; i++) {
        int lane_ms = connection_wait_ms(service->lanes[i].connection);

        first_ms = clock_sooner(first_ms, lane_ms);
    }
    return first_ms;
}

void service_finish(struct service *service)
{
    for (int i = 0; i < LANE_WORKER_COUNT; i++) {
        connection_finish(service->lanes[i].connection);
    }
}

void service_release(struct service *service)
{
    viewers_free(service->viewers);
    cache_free(service->cache);
    turns_free(service->slow_turns);
    turns_free(service->write_turns);
    for (int i = 0; i < LANE_WORKER_COUNT; i++) {
        connection_free(service->lanes[i].connection);
    }
    router_free(service->router);
    keyring_free(service->identity.keyring);
    tracer_free(service->tracer);
    *service = (struct service){0};
}
