/* Finds the endpoint of a method and a path. */
#ifndef CRUDDUR_HTTP_ROUTER_H
#define CRUDDUR_HTTP_ROUTER_H

#include "base/status.h"
#include "http/request.h"

struct router;

struct router *router_new(void);
void router_free(struct router *router);

/* pattern is a path whose segments are literal, "{uuid}" or "{x_uuid}" (match only a UUID), or
 * "@{handle}" (matches "@" and at least one more character; the capture has no "@"). router_find
 * sets match->target to target. pattern and target must outlive the router. */
void router_add(struct router *router, enum method method, const char *pattern, const void *target);

struct match {
    const void *target;
    const char *pattern; /* NULL when no path matched */
    unsigned allowed;    /* bit 1 << method for every method that this path answers */
};

/* Finds the route of request and fills in its captures. A literal segment wins over a capture.
 * HEAD finds GET's target. STATUS_NOT_FOUND, STATUS_METHOD_NOT_ALLOWED (also for OPTIONS, which is
 * allowed everywhere and answered from match->allowed), STATUS_NOT_IMPLEMENTED (an unknown
 * method). */
enum status router_find(const struct router *router, struct request *request, struct match *match);

/* The request's path: pattern with the request's captures, percent-encoded. In request memory. */
const char *router_path(const struct request *request, const char *pattern);

/* "GET, HEAD, OPTIONS" in arena memory. */
const char *router_allow(struct arena *arena, unsigned allowed);

#endif
