/* How statements identify the caller, and the UUIDs of the rows that a request creates. */
#ifndef CRUDDUR_API_AUTHOR_H
#define CRUDDUR_API_AUTHOR_H

#include "api/endpoint.h"
#include "api/rules.h"
#include "api/status.h"

/* The handle that a request names for its author: the member `field` or `other_field` of the body
 * (the frontends differ), or in handle mode the default. Adds STATUS_USER_HANDLE_BLANK if one of
 * the two members is neither a string nor null, or if handle mode gets no handle at all. Both
 * fields are given, or neither. */
const char *author_handle(const struct call *call, const char *field, const char *other_field,
                          struct broken *broken);

/* Binds the parameters sub and handle. */
void author_bind(struct statement *statement, const struct call *call, const char *handle);

/* Binds the parameter most: how many rows of this kind the author may make within an hour; 0: any
 * number. */
void author_bind_most(struct statement *statement, const struct call *call, int most);

/* Sets *statement to def for a request without a body, and binds sub and handle. False: the request
 * names no caller, and the response says so. */
bool author_begin(struct statement *statement, const struct statement_def *def,
                  const struct call *call, struct response *response);

/* The time `until` in the body of a request that marks a list as read, in microseconds since 1970;
 * NULL: all. A client sends the time of the newest row that it shows, so that what became visible
 * later stays unread. Adds STATUS_UNTIL_INVALID. */
const char *author_until(const struct call *call, struct broken *broken);

/* Binds the parameters sub and viewer of an endpoint with ACCESS_VIEWER. */
void author_bind_viewer(struct statement *statement, const struct call *call);

/* The UUID of the row that this request makes: a new one, or with an Idempotency-Key always the
 * same for the same author, kind and key. Adds STATUS_IDEMPOTENCY_KEY_INVALID for a key that is not
 * 1 to 255 visible ASCII characters. */
const char *author_row_uuid(const struct call *call, const char *handle, const char *kind,
                            struct broken *broken);

#endif
