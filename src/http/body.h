/* Checks and parses the body of a request, before the rules see it. */
#ifndef CRUDDUR_HTTP_BODY_H
#define CRUDDUR_HTTP_BODY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

struct request;
struct json;

/* Opens the request's body as a JSON object. Checks in this order: its size against max bytes
 * (413), the announced against the received length (400), the content type (415; its parameters
 * have no effect) and coding (415), UTF-8 (400), strict JSON (400). On STATUS_OK free *body with
 * json_free. */
enum status body_open(const struct request *request, size_t max, struct json **body);

/* The text of a member in request memory; NULL if it is missing, null or not a string. Use it for
 * members that a request must have. */
const char *body_string(const struct request *request, const struct json *body, const char *name);

/* The same for optional members. False: the member is there, and is neither a string nor null. */
bool body_take(const struct request *request, const struct json *body, const char *name,
               const char **text);

#endif
