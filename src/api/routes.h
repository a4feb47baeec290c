/* The table of contents of the API. */
#ifndef CRUDDUR_API_ROUTES_H
#define CRUDDUR_API_ROUTES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct catalog;
struct endpoint;
struct router;

enum { ROUTES_MAX = 64 };

/* Adds every endpoint; those with ACCESS_HOOK only with_hooks, which needs a secret that identifies
 * their callers. The targets, which router_find returns, are of type const struct endpoint *. */
void routes_add(struct router *router, bool with_hooks);

/* The catalog of all statements that a route names. NULL: a template is missing or wrong, and that
 * was logged. */
MUST_CHECK struct catalog *routes_load_catalog(const char *sql_dir);

/* The endpoints have numbers from 0 up, below ROUTES_MAX. */
size_t routes_number(const struct endpoint *endpoint);
const struct endpoint *routes_at(size_t number); /* NULL: there is none */

/* Returns pattern if it is the address of an endpoint's pattern, else NULL. Compares addresses and
 * does not read the text. */
const char *routes_own_pattern(const char *pattern);

#endif
