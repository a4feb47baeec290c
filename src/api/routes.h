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

/* Adds every endpoint, those with ACCESS_HOOK only when there is a secret to know their callers by.
 * What router_find gives back is a const struct endpoint *. */
void routes_add(struct router *router, bool with_hooks);

/* The catalog of all statements that a route names. NULL when a template is missing or wrong,
 * which was logged then. */
MUST_CHECK struct catalog *routes_load_catalog(const char *sql_dir);

/* The endpoints have numbers from 0 up, below ROUTES_MAX. */
size_t routes_number(const struct endpoint *endpoint);
const struct endpoint *routes_at(size_t number); /* NULL: there is none */

/* The pattern, if it is the text of one of the endpoints, by its address; else NULL. It is not
 * read. */
const char *routes_own_pattern(const char *pattern);

#endif
