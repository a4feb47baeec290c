/* The table of contents of the API. */
#ifndef CRUDDUR_API_ROUTES_H
#define CRUDDUR_API_ROUTES_H

#include "http/router.h"

/* Adds every endpoint; what router_find gives back is a const struct endpoint *. */
void routes_add(struct router *router);

#endif
