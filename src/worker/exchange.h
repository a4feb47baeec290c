/* One request's life, from its parameters to its answer's bytes, without any waiting: who runs an
 * exchange begins it, has its statement run if it asks for one, and sends what comes out. */
#ifndef CRUDDUR_WORKER_EXCHANGE_H
#define CRUDDUR_WORKER_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/endpoint.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/status.h"
#include "db/statement.h"
#include "http/request.h"
#include "http/response.h"
#include "identity/caller.h"
#include "worker/service.h"

struct cache_info;

struct exchange {
    struct arena arena;
    struct request request;
    struct response response;
    struct caller caller;
    struct call call;
    struct statement statement; /* to be run when exchange_begin says DECISION_ASK */
    struct submission submission;
    const struct service *service;
    const struct endpoint *endpoint;
    const char *route; /* the pattern, static text; NULL when the path has none */
    struct buf head;
    int64_t started_us;
    int64_t took_us; /* until its answer was made, or it was abandoned */
    int64_t database_us;
    char sqlstate[6];
};

/* What came with the parameters. */
struct exchange_input {
    enum status status; /* STATUS_OK, or why the rest of the request never came */
    const char *body;   /* NUL-terminated, lives as long as the exchange's arena */
    size_t body_length;
    bool is_local; /* it came over no network */
};

/* Of a zeroed exchange, whose arena may have the arrival's body in it already.
 * DECISION_WAIT: for the issuer's keys; then exchange_resume goes on from there. */
enum decision exchange_begin(struct exchange *exchange, const struct service *service,
                             char **parameters, const struct exchange_input *input);

/* may_wait: whether it may be DECISION_WAIT once more. */
enum decision exchange_resume(struct exchange *exchange, bool may_wait);

/* Who the statement is run for, as far as fairness goes: the token's subject, else the client's
 * address, of which IPv6 counts the network (/64). */
const char *exchange_requester(struct exchange *exchange);

/* Makes the response from the statement's result; info as in cache_done. The body may point into
 * the result: take the answer before the result is gone. */
void exchange_result(struct exchange *exchange, const struct result *result,
                     const struct cache_info *info);

/* The finished answer's two parts. The body is empty for HEAD. */
void exchange_answer(struct exchange *exchange, const char **head, size_t *head_length,
                     const char **body, size_t *body_length);

/* Instead of an answer, for a client that left before its statement was run: logs the request with
 * nginx's status for that. */
void exchange_abandon(struct exchange *exchange);

/* Logs the request's line. */
void exchange_log(const struct exchange *exchange);

/* Gives all its memory back and zeroes it. */
void exchange_release(struct exchange *exchange);

#endif
