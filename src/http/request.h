/* One request from the front server: its CGI parameters, parsed once. */
#ifndef CRUDDUR_HTTP_REQUEST_H
#define CRUDDUR_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/ids.h"
#include "base/status.h"

enum method {
    METHOD_GET,
    METHOD_HEAD,
    METHOD_POST,
    METHOD_PUT,
    METHOD_DELETE,
    METHOD_OPTIONS,
    METHOD_COUNT
};

enum {
    URI_MAX = 4096,        /* bytes of path and query, as sent */
    PATH_SEGMENTS_MAX = 8, /* a path with more segments matches no route */
    CAPTURES_MAX = 2
};

/* The path, cut at its slashes first and then decoded, so that %2F stays inside a segment. */
struct path {
    size_t count;
    const char *segment[PATH_SEGMENTS_MAX];
};

struct request {
    struct arena *arena; /* all text here is in it or in the CGI parameters */
    enum method method;  /* METHOD_COUNT: an unknown one */
    struct path path;
    const char *query; /* raw, behind the '?'; "" without one */
    const char *capture[CAPTURES_MAX];

    const char *accept; /* this and the following are NULL when not sent */
    const char *content_type;
    const char *content_encoding;
    const char *authorization;
    const char *idempotency_key;
    const char *signature; /* X-Cruddur-Signature */
    const char *if_none_match;
    const char *last_event_id;
    const char *origin;
    const char *preflight_method; /* Access-Control-Request-Method */
    const char *remote_addr;
    /* These two are copies for the log line, which is written when the parameters are freed. */
    char id[REQUEST_ID_MAX + 1];              /* taken over when well-formed, else made */
    char traceparent[TRACEPARENT_LENGTH + 1]; /* "" unless it was sent and well-formed */

    long long content_length; /* bytes announced; -1: a value that is no length */
    const char *body;         /* NUL-terminated; "" without one */
    size_t body_length;       /* bytes received */
};

/* Reads the parameters in envp ("NAME=value", as in environ). envp and arena must outlive the
 * request. The request can be answered whatever the status is; any status but STATUS_OK is the
 * answer: STATUS_MALFORMED_REQUEST, STATUS_URI_TOO_LONG. */
enum status request_init(struct request *request, struct arena *arena, char **envp);

/* The value of a CGI parameter, or NULL. */
const char *request_parameter(char **envp, const char *name);

const char *method_name(enum method method); /* "GET"; "-" for METHOD_COUNT */

/* The weight that the Accept header gives to this media type by name, in thousandths; 0: the header
 * does not name it, or refuses it. */
int request_weight(const struct request *request, const char *media_type);

/* Percent-decodes text[0..length) into arena memory. NULL for an incomplete escape, a control
 * character or ill-formed UTF-8. plus_is_space is for query strings. */
const char *percent_decode(struct arena *arena, const char *text, size_t length,
                           bool plus_is_space);

/* The same for text that people paste into a query string: tabs and line ends become blanks. */
const char *percent_decode_text(struct arena *arena, const char *text, size_t length);

/* The text with everything but RFC 3986's unreserved characters percent-encoded. */
const char *percent_encode(struct arena *arena, const char *text);

#endif
