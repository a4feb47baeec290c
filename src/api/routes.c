#include "api/routes.h"

#include <stddef.h>

#include "api/activities.h"
#include "api/endpoint.h"
#include "api/health.h"
#include "api/users.h"

/* HEAD is answered wherever GET is, OPTIONS everywhere. */
static const struct endpoint ENDPOINTS[] = {
    {.method = METHOD_GET, .pattern = "/api/health-check", .handle = health_live},
    {.method = METHOD_GET, .pattern = "/livez", .handle = health_live},
    {.method = METHOD_GET,
     .pattern = "/readyz",
     .handle = health_ready,
     .missing = STATUS_DATABASE_UNAVAILABLE},

    {.method = METHOD_GET,
     .pattern = "/api/activities/home",
     .handle = activities_home,
     .is_list = true,
     .missing = STATUS_INTERNAL},
    {.method = METHOD_GET,
     .pattern = "/api/activities/{uuid}",
     .handle = activities_show,
     .missing = STATUS_NOT_FOUND},
    {.method = METHOD_POST,
     .pattern = "/api/activities",
     .handle = activities_create,
     .access = ACCESS_CALLER,
     .takes_body = true,
     .outcomes = {STATUS_USER_NOT_FOUND},
     .missing = STATUS_INTERNAL},

    {.method = METHOD_GET,
     .pattern = "/api/users/@{handle}/short",
     .handle = users_short,
     .missing = STATUS_NOT_FOUND},
};

void routes_add(struct router *router)
{
    for (size_t i = 0; i < sizeof ENDPOINTS / sizeof ENDPOINTS[0]; i++) {
        router_add(router, ENDPOINTS[i].method, ENDPOINTS[i].pattern, &ENDPOINTS[i]);
    }
}
