/* One request and its response, without input or output: client.c and cgi.c read the request, run
 * the statement, and send the bytes.
 *
 *     exchange_begin ──► DECISION_WAIT ──► exchange_resume ──► DECISION_ASK ──► exchange_result
 *                    ├──────────────────► DECISION_RESPOND ──► exchange_answer, _report, _release
 *                    └──────────────────► DECISION_STREAM ──► exchange_answer, _trim, _end_stream
 *
 * All memory of the request is in its arena, which exchange_release() frees. response.body may
 * point into the result of the statement, so that the answer must be taken within its callback. */
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
#include "worker/tracer.h"

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
    const char *route;        /* the pattern, static text; NULL when the path has none */
    struct request_span span; /* zeroed: its trace is not recorded */
    struct buf head;
    int64_t started_us;
    int64_t took_us; /* until the answer was made or the request abandoned */
    int64_t database_us;
    char sqlstate[6];
};

/* The part of a request that is not in the parameters. */
struct exchange_input {
    enum status status; /* STATUS_OK, or why the rest of the request was not read */
    const char *body;   /* NUL-terminated, lives as long as the exchange's arena */
    size_t body_length;
    bool is_local; /* the client is a process of this host, as for CGI */
};

/* Begins a zeroed exchange. Its arena may already hold the body of the input. DECISION_WAIT: the
 * request needs newer keys of the issuer; call exchange_resume() when they have come or the wait
 * is over. */
enum decision exchange_begin(struct exchange *exchange, const struct service *service,
                             char **parameters, const struct exchange_input *input);

/* may_wait: whether it may return DECISION_WAIT again. */
enum decision exchange_resume(struct exchange *exchange, bool may_wait);

/* The requester, for the limits per user: the token's subject; else the client's address, or for
 * IPv6 its /64 network. An IPv4-mapped address counts as the IPv4 address. */
const char *exchange_requester(struct exchange *exchange);

/* Makes the response from the statement's result; info as in cache_done. The body may point into
 * the result, so call exchange_answer() and use the body while the result is valid. */
void exchange_result(struct exchange *exchange, const struct result *result,
                     const struct cache_info *info);

/* The finished answer's two parts. The body is empty for HEAD. */
void exchange_answer(struct exchange *exchange, const char **head, size_t *head_length,
                     const char **body, size_t *body_length);

/* Call this instead of exchange_answer() for a client that left before its statement was run. It
 * reports the request with nginx's status for that (499). */
void exchange_abandon(struct exchange *exchange);

/* The request is over: logs its line, and writes its span if its trace is recorded. */
void exchange_report(const struct exchange *exchange);

/* Makes the response to a request for a stream that cannot be opened. */
void exchange_refuse_stream(struct exchange *exchange);

/* For a stream whose head was sent: frees the request's memory, but not what the log line needs. */
void exchange_trim(struct exchange *exchange);

/* Logs the line of a stream that has ended; bytes: of its body. Then as exchange_release(). */
void exchange_end_stream(struct exchange *exchange, uint64_t bytes);

/* Frees all memory of the exchange and zeroes it. */
void exchange_release(struct exchange *exchange);

#endif
