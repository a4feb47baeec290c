/* Entity tags, and answers to clients that have the bytes already (RFC 9110, sections 8.8.3 and
 * 13.1.2). */
#ifndef CRUDDUR_HTTP_ETAG_H
#define CRUDDUR_HTTP_ETAG_H

#include <stdbool.h>
#include <stddef.h>

struct request;
struct response;

enum { ETAG_SIZE = sizeof "\"0123456789abcdef-01234567\"" };

/* Makes a strong tag from the bytes. The same bytes have the same tag on every host. */
void etag_make(char tag[static ETAG_SIZE], const char *bytes, size_t length);

/* Whether the value of If-None-Match (NULL: not sent) names the tag. */
bool etag_is_named(const char *if_none_match, const char *tag);

/* Adds the tag to a finished 200. Clients may keep the response, but have to revalidate it each
 * time. If the request's If-None-Match names the tag, the response becomes a 304 without a body. */
void etag_apply(struct response *response, const struct request *request, const char *tag);

#endif
