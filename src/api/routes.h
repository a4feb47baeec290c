/* The table of contents of the API. */
#ifndef CRUDDUR_API_ROUTES_H
#define CRUDDUR_API_ROUTES_H

#include <stdbool.h>

#include "http/router.h"

/* Adds every endpoint, those with ACCESS_HOOK only when there is a secret to know their callers by.
 * What router_find gives back is a const struct endpoint *. */
void routes_add(struct router *router, bool with_hooks);

#endif
