#include "daemon/service.h"

#include <stdio.h>

#include "api/routes.h"
#include "base/clock.h"
#include "daemon/metrics.h"

enum { WRITE_UNITS_MAX = 1 }; /* while one is being committed the next one gathers */

static void open_lane(struct service *service, int number, const struct catalog *catalog,
                      const char *name, const struct service_links *links)
{
    struct service_lane *lane = &service->lanes[number];

    snprintf(lane->name, sizeof lane->name, "%s%s", name,
             number == SERVICE_WRITES ? " writing" : "");
    lane->settings = config_connection(service->config, lane->name);
    lane->settings.session.lanes = number == SERVICE_WRITES ? LANE_WRITE : LANE_READ;
    if (number == SERVICE_WRITES) {
        lane->settings.units_max = WRITE_UNITS_MAX;
    }
    lane->settings.session.counts = links->score != NULL ? &links->score->database[number] : NULL;
    lane->connection = connection_new(&lane->settings, catalog, links->epoll_fd);
}

void service_init(struct service *service, const struct config *config,
                  const struct catalog *catalog, const char *name,
                  const struct service_links *links)
{
    *service = (struct service){
        .config = config,
        .catalog = catalog,
        .router = router_new(),
        .keyring_settings = config_keyring(config, links->keypage),
        .identity = {.mode = (enum identity_mode)config->identity,
                     .rules = {.issuer = config->issuer, .client_id = config->cognito_client}},
        .cors = {.origins = {config->frontend_url, config->backend_url}},
    };
    routes_add(service->router, config->hook_secret != NULL);
    for (int i = 0; i < SERVICE_LANES; i++) {
        open_lane(service, i, catalog, name, links);
    }
    service->feed_settings.mark = links->mark;
    if (links->mark != NULL && config->feed_watch > 0) {
        service->feed_settings.watch_ms = config->feed_watch;
        service->feed_settings.stale_s = config->feed_stale;
        service->feed_settings.counts = &links->score->feed;
        service->feed = feed_new(&service->feed_settings, service->lanes[SERVICE_READS].connection);
    }
    if (links->scoreboard != NULL) {
        service->teller = (struct teller){metrics_tell, links->scoreboard};
    }
    if (config->issuer != NULL) {
        service->identity.keyring = keyring_new(&service->keyring_settings);
    }
}

bool service_fits(struct service *service)
{
    bool fits = true;

    for (int i = 0; i < SERVICE_LANES; i++) {
        fits = fits && connection_fits(service->lanes[i].connection);
    }
    return fits;
}

static bool writes(const struct service *service, const struct statement *statement)
{
    return catalog_get(service->catalog, statement->id)->lane == LANE_WRITE;
}

void service_submit(struct service *service, const struct statement *statement,
                    statement_done *done, void *context)
{
    if (service->feed != NULL && feed_takes(statement)) {
        feed_submit(service->feed, statement, done, context);
    } else {
        connection_submit(
            service->lanes[writes(service, statement) ? SERVICE_WRITES : SERVICE_READS].connection,
            statement, done, context);
    }
}

bool service_cancel(struct service *service, const void *context)
{
    for (int i = 0; i < SERVICE_LANES; i++) {
        if (connection_cancel(service->lanes[i].connection, context)) {
            return true;
        }
    }
    return false;
}

void service_note_result(const struct service *service, const struct statement *statement)
{
    /* This process may keep no feed, after a HUP that said so, beside older ones that do. */
    if (service->feed_settings.mark != NULL && writes(service, statement)) {
        feed_mark_written(service->feed_settings.mark);
    }
}

bool service_event(struct service *service, const void *who)
{
    for (int i = 0; i < SERVICE_LANES; i++) {
        if (service->lanes[i].connection == who) {
            service->lanes[i].is_ready = true;
            return true;
        }
    }
    return false;
}

void service_proceed(struct service *service)
{
    for (int i = 0; i < SERVICE_LANES; i++) {
        struct service_lane *lane = &service->lanes[i];
        bool is_ready = lane->is_ready;

        lane->is_ready = false;
        connection_proceed(lane->connection, is_ready);
    }
}

int service_wait_ms(const struct service *service)
{
    int first_ms = -1;

    for (int i = 0; i < SERVICE_LANES; i++) {
        int lane_ms = connection_wait_ms(service->lanes[i].connection);

        first_ms = clock_sooner(first_ms, lane_ms);
    }
    return first_ms;
}

void service_finish(struct service *service)
{
    for (int i = 0; i < SERVICE_LANES; i++) {
        connection_finish(service->lanes[i].connection);
    }
}

void service_release(struct service *service)
{
    feed_free(service->feed);
    for (int i = 0; i < SERVICE_LANES; i++) {
        connection_free(service->lanes[i].connection);
    }
    router_free(service->router);
    keyring_free(service->identity.keyring);
    *service = (struct service){0};
}
