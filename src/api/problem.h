/* Error answers: a JSON array of codes, which is what the frontends show, or a problem document
 * (RFC 9457) for clients whose Accept header names application/problem+json. */
#ifndef CRUDDUR_API_PROBLEM_H
#define CRUDDUR_API_PROBLEM_H

#include <stddef.h>

#include "base/status.h"

struct request;
struct response;

enum { PROBLEM_CODES_MAX = 8 };

/* Answers with these failures; the first decides the HTTP status. count is 1 to PROBLEM_CODES_MAX.
 * Adds Retry-After where trying again helps, WWW-Authenticate to a 401 (the scheme is Bearer for a
 * token, one of our own for a signature). */
void problem_respond(struct response *response, const struct request *request,
                     const enum status *failures, size_t count);

/* The same for one failure. */
void problem_respond_one(struct response *response, const struct request *request,
                         enum status failure);

/* The same, with a Retry-After of so many seconds where trying again helps; below 1 it is 1. */
void problem_respond_later(struct response *response, const struct request *request,
                           enum status failure, int retry_after_s);

#endif
