/* The answer to one request, and its form on the wire (CGI, RFC 3875 section 6). */
#ifndef CRUDDUR_HTTP_RESPONSE_H
#define CRUDDUR_HTTP_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

struct request;

struct response {
    int http;
    const char *failure; /* the code of the (first) failure that it reports, static; NULL: none */
    const char *content_type;  /* NULL: no body */
    const char *cache_control; /* NULL: no-store */
    const char *body;          /* borrowed: lives as long as the request or the database result */
    size_t body_length;
    bool is_stream;     /* the body follows in parts, and its length is not known */
    struct buf headers; /* further header lines, each with its CRLF */
};

/* 200 with this JSON text. */
void response_json(struct response *response, const char *body, size_t length);

/* 200 with this text of another type. */
void response_text(struct response *response, const char *content_type, const char *body,
                   size_t length);

/* 200 with a body of this type, which follows in parts until the stream ends. The header
 * X-Accel-Buffering makes nginx pass each part on at once. */
void response_stream(struct response *response, const char *content_type);

/* An answer without a body, 204. */
void response_empty(struct response *response);

/* Takes the body away from a 200: 304. */
void response_not_modified(struct response *response);

/* Adds a header line. Values come from us, never from the client as sent. */
void response_header(struct response *response, const char *name, const char *value);

/* The reason phrase of an HTTP status code (RFC 9110); "Unknown" for a code that cruddurd does not send. */
const char *response_reason(int http);

/* Appends the head as it goes to the front server: Status line, headers, empty line. */
void response_head(const struct response *response, const struct request *request,
                   struct buf *head);

void response_release(struct response *response);

#endif
