/* The Runtime API of AWS Lambda, version 2018-06-01: it gives the invocations and takes their
 * answers. */
#ifndef CRUDDUR_LAMBDA_RUNTIME_H
#define CRUDDUR_LAMBDA_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/ids.h"

enum {
    RUNTIME_EVENT_MAX = 1024 * 1024, /* bytes; a larger event is not looked at */
    RUNTIME_ATTEMPTS_MAX = 3         /* of a request that gets no answer */
};

struct runtime;

struct invocation {
    char request_id[REQUEST_ID_MAX + 1];
    int64_t deadline_ms; /* Unix time; 0: Lambda gave none */
    const char *event;   /* NUL-terminated; lives until the next runtime_next */
    size_t event_length;
    bool is_too_large; /* the event has more than RUNTIME_EVENT_MAX bytes, and event is its
                          beginning */
};

/* The result of a request to the Runtime API. */
enum runtime_verdict {
    RUNTIME_TAKEN,
    RUNTIME_REFUSED, /* for this invocation, which is over, for instance */
    RUNTIME_BROKEN   /* the process must end; Lambda starts another one */
};

/* The verdict for an HTTP status. */
enum runtime_verdict runtime_verdict(long status);

/* api: host and port. NULL: out of memory. */
MUST_CHECK struct runtime *runtime_new(const char *api);
void runtime_free(struct runtime *runtime); /* NULL is allowed */

/* Waits for the next invocation without a time limit. False: the process must end, and the reason
 * was logged. */
MUST_CHECK bool runtime_next(struct runtime *runtime, struct invocation *invocation);

/* Answers an invocation with bytes, or with an error whose name is word. */
enum runtime_verdict runtime_answer(struct runtime *runtime, const struct invocation *invocation,
                                    const char *bytes, size_t length);
enum runtime_verdict runtime_fail(struct runtime *runtime, const struct invocation *invocation,
                                  const char *word);

/* Reports that the function cannot start: a word, and a text for the operator. */
enum runtime_verdict runtime_fail_init(struct runtime *runtime, const char *word, const char *text);

/* Appends the document that describes an error. */
void runtime_describe_error(struct buf *document, const char *word, const char *text);

/* Whether the two headers of an invocation are well-formed; then they are stored in it. deadline
 * may be NULL: there was none. */
MUST_CHECK bool runtime_take_headers(struct invocation *invocation, const char *request_id,
                                     const char *deadline);

#endif
