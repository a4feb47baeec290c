#include "daemon/service.h"

#include "api/routes.h"

void service_init(struct service *service, const struct config *config,
                  const struct catalog *catalog, const char *name, const struct keypage_link *link)
{
    *service = (struct service){
        .config = config,
        .router = router_new(),
        .database_settings = config_connection(config, name),
        .keyring_settings = config_keyring(config, link),
        .identity = {.mode = (enum identity_mode)config->identity,
                     .rules = {.issuer = config->issuer, .client_id = config->cognito_client}},
        .cors = {.origins = {config->frontend_url, config->backend_url}},
    };
    routes_add(service->router, config->hook_secret != NULL);
    service->database = connection_new(&service->database_settings, catalog);
    if (config->issuer != NULL) {
        service->identity.keyring = keyring_new(&service->keyring_settings);
    }
}

void service_release(struct service *service)
{
    router_free(service->router);
    connection_free(service->database);
    keyring_free(service->identity.keyring);
    *service = (struct service){0};
}
