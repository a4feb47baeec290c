/* The query string as named values. */
#ifndef CRUDDUR_HTTP_QUERY_H
#define CRUDDUR_HTTP_QUERY_H

#include "base/status.h"

struct request;

/* The decoded value of a query parameter in request memory; *value is NULL when it isn't there.
 * STATUS_MALFORMED_REQUEST when it is there twice or its escapes decode to no proper text. */
enum status query_value(const struct request *request, const char *name, const char **value);

/* The same for text that people paste; decodes it by percent_decode_text(). */
enum status query_text(const struct request *request, const char *name, const char **value);

#endif
