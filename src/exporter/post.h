/* One HTTP connection to the collector, which stays open between the requests. */
#ifndef CRUDDUR_EXPORTER_POST_H
#define CRUDDUR_EXPORTER_POST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"

struct post;

enum {
    POST_CONNECT_TIMEOUT_MS = 3000,
    POST_TIMEOUT_MS = 10000,
    POST_RETRY_AFTER_MAX_S = 60, /* if the collector asks for more, this is used */
    POST_ANSWER_MAX = 65536      /* bytes; the rest of a longer answer is not read */
};

enum post_outcome {
    POST_TAKEN,  /* 2xx */
    POST_LATER,  /* 429, 502, 503, 504, or no answer: a later attempt may succeed */
    POST_REFUSED /* anything else */
};

/* url is the whole URL; headers_file has header lines, or is "". NULL: error says why. */
struct post *post_new(const char *url, const char *headers_file, struct error *error);
void post_free(struct post *post);

/* Sends a JSON text, in timeout_ms at most. */
enum post_outcome post_send(struct post *post, const struct buf *json, int timeout_ms);

/* Of the last request: what was wrong, the answer's body, and the seconds of Retry-After (0:
 * none). */
const char *post_reason(const struct post *post);
const struct buf *post_answer(const struct post *post);
int post_retry_after_s(const struct post *post);

#endif
