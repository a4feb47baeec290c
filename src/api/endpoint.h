/* An endpoint: what a route leads to, and the interface of its handler. */
#ifndef CRUDDUR_API_ENDPOINT_H
#define CRUDDUR_API_ENDPOINT_H

#include <stdbool.h>

#include "api/rules.h"
#include "base/error.h"
#include "db/statement.h"
#include "http/page.h"
#include "http/request.h"
#include "http/response.h"
#include "identity/caller.h"

struct json;
struct buf;

/* Where /metrics gets the figures of the pool from. */
struct metrics_source {
    void (*write)(const void *of, struct buf *text); /* in Prometheus's text format */
    const void *of;
};

/* The input of a handler. */
struct call {
    struct request *request;
    const struct caller *caller;
    const struct json *body; /* NULL unless the endpoint takes one */
    struct page page;        /* for lists */
    /* handle mode: the user of requests that name no user; NULL if not set */
    const char *default_handle;
    /* How many activities, messages and reports a user may make within an hour; 0: any number. */
    int posts_per_hour, messages_per_hour, reports_per_hour;
    const char *user_pool;                       /* whose events are accepted; NULL: any */
    bool wants_week4;                            /* the shapes of the frontend of week 4 */
    int repeat_window_s;                         /* see --repeat-window; 0: no window */
    const struct metrics_source *metrics_source; /* NULL: there is no pool */
};

enum decision {
    DECISION_RESPOND, /* the response is finished */
    DECISION_ASK,     /* the statement is to be run; its result makes the response */
    DECISION_STREAM,  /* the response is the head of a stream of home's events, if one may open */
    DECISION_WAIT     /* the request waits for the issuer's keys; no handler returns this */
};

/* A handler is a pure function: it turns the call into a finished response or one statement. It
 * never waits and never touches a socket; the statement's values live as long as the request. */
typedef enum decision handler(struct call *call, struct response *response,
                              struct statement *statement);

/* Makes the response from any result of the statement, an error too. */
typedef void finisher(const struct call *call, const struct result *result,
                      struct response *response);

enum access {
    ACCESS_ANYONE, /* the token is not read */
    ACCESS_VIEWER, /* every caller; a token counts if it can be verified without waiting for keys */
    ACCESS_CALLER, /* 401 for a request without an identity */
    ACCESS_HOOK    /* a program with the hook's secret; 401 for a request not signed with it */
};

/* What the value of ?since= is. */
enum since {
    SINCE_NONE, /* the list has no ?since= */
    SINCE_KEY,  /* the key of a row, for a list whose rows become visible in its order */
    SINCE_VIEW  /* a snapshot, for any other list */
};

enum { ENDPOINT_OUTCOMES_MAX = 13, ENDPOINT_STATEMENTS_MAX = 3 };

struct endpoint {
    enum method method;
    const char *pattern;
    handler *handle;
    /* The statements that the handler may ask for; NULL ends the list. */
    const struct statement_def *statements[ENDPOINT_STATEMENTS_MAX];
    finisher *finish; /* NULL: the result is the response, as the members below say */
    enum access access;
    bool takes_body;
    bool is_list;     /* takes limit and cursor, answers with Link */
    int rows;         /* of a page without ?limit=; 0: PAGE_LIMIT_DEFAULT */
    enum since since; /* the value that ?since= takes */
    /* The outcomes that its statements may have besides "ok". A statement without a row is answered
     * with the status missing. */
    enum status outcomes[ENDPOINT_OUTCOMES_MAX];
    enum status missing; /* STATUS_OK: STATUS_INTERNAL, as the statement always has a row */
    enum status refused; /* for a value that PostgreSQL refuses; STATUS_OK: none of its own */
};

/* The status for a statement that gave no row. */
enum status endpoint_missing(const struct endpoint *endpoint);

/* Binds a list's parameters limit, after_us and after_uuid. */
void endpoint_bind_page(struct statement *statement, const struct page *page);

/* Binds the parameters since_us and since_uuid of a list whose rows become visible in its order. */
void endpoint_bind_since(struct statement *statement, const struct page *page);

/* STATUS_CURSOR_INVALID: the list does not take ?since=, or takes the other kind of value. */
MUST_CHECK enum status endpoint_check_since(const struct endpoint *endpoint,
                                            const struct page *page);

/* Answers with the rules that a request broke. */
enum decision endpoint_refuse(const struct call *call, const struct broken *broken,
                              struct response *response);

/* Turns the result of an endpoint's statement into the response. */
void endpoint_finish(const struct endpoint *endpoint, const struct call *call,
                     const struct result *result, struct response *response);

#endif
