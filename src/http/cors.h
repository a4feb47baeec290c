/* Cross-origin requests (the Fetch standard's CORS protocol), for the frontends that we know. */
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

/* Whether it is an allowed origin's preflight request: a browser's question before the call itself,
 * which it makes only after a 2xx. */
bool cors_is_preflight(const struct cors *cors, const struct request *request);

/* Adds the headers that let an allowed origin read the answer, and for its preflight request what
 * may be sent. Other origins get nothing. Vary: Origin goes out wherever origins are configured. */
void cors_apply(const struct cors *cors, const struct request *request, struct response *response);

#endif
