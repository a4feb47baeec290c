/* What all requests of a process share. */
#ifndef CRUDDUR_DAEMON_SERVICE_H
#define CRUDDUR_DAEMON_SERVICE_H

#include "daemon/config.h"
#include "http/cors.h"
#include "http/router.h"

struct service {
    const struct config *config;
    struct router *router;
    struct connection *database;
    struct connection_settings database_settings;
    struct keyring_settings keyring_settings;
    struct identity identity;
    struct cors cors;
};

/* name is the application_name of its database connection; link as in config_keyring. All must
 * outlive the service. */
void service_init(struct service *service, const struct config *config,
                  const struct catalog *catalog, const char *name, const struct keypage_link *link);
void service_release(struct service *service);

#endif
