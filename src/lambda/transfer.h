/* HTTP requests, one after the other, over a connection that stays open between them. */
#ifndef CRUDDUR_LAMBDA_TRANSFER_H
#define CRUDDUR_LAMBDA_TRANSFER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"

struct transfer;

/* A signature by AWS's Signature Version 4. */
struct transfer_signature {
    const char *region, *service;
    const char *key_id, *secret_key;
};

struct transfer_request {
    const char *url;
    const char *const *headers; /* lines "name: value" up to a NULL; NULL: none */
    const char *body;           /* NULL: the request is a GET, else a POST */
    size_t body_length;
    int timeout_ms;                             /* 0: none */
    size_t answer_max;                          /* bytes of the answer's body that are kept */
    const char *ca_file;                        /* NULL: curl's own choice */
    const struct transfer_signature *signature; /* NULL: none */
};

/* NULL: out of memory. Call curl_global_init before. */
MUST_CHECK struct transfer *transfer_new(void);
void transfer_free(struct transfer *transfer); /* NULL is allowed */

/* Sends the request and waits for the whole answer, whose body replaces the text of answer. False:
 * there was no answer, or only a part of one, and error says why. */
MUST_CHECK bool transfer_run(struct transfer *transfer, const struct transfer_request *request,
                             struct buf *answer, struct error *error);

/* The HTTP status of the last answer; 0: there was none. */
long transfer_status(const struct transfer *transfer);

/* A header of the last answer, or NULL; lives until the next request. */
const char *transfer_header(const struct transfer *transfer, const char *name);

/* Whether the body of the last answer was larger than answer_max. Only its beginning was kept
 * then. */
bool transfer_was_cut(const struct transfer *transfer);

#endif
