/* Cross-origin requests (the Fetch standard's CORS protocol) from the configured frontends. */
#ifndef CRUDDUR_HTTP_CORS_H
#define CRUDDUR_HTTP_CORS_H

#include <stdbool.h>

struct request;
struct response;

enum { CORS_ORIGINS_MAX = 2, CORS_MAX_AGE_S = 600 };

/* The allowed origins, "https://cruddur.com", compared byte by byte. NULL entries allow nothing. */
struct cors {
    const char *origins[CORS_ORIGINS_MAX];
};

/* Whether text is an origin: scheme://host[:port] of http or https, nothing behind it. */
bool cors_is_origin(const char *text);

/* Whether it is the preflight request of an allowed origin. A browser sends it before the call
 * itself, and makes the call only after a 2xx. */
bool cors_is_preflight(const struct cors *cors, const struct request *request);

/* Adds the headers that let an allowed origin read the answer; for its preflight request also the
 * headers that say what it may send. Other origins get nothing. Every answer has Vary: Origin if
 * origins are configured. */
void cors_apply(const struct cors *cors, const struct request *request, struct response *response);

#endif
