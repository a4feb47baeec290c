/* Requests as they arrive, for tests of functions that take a request. */
#ifndef CRUDDUR_TESTS_INCOMING_H
#define CRUDDUR_TESTS_INCOMING_H

#include "http/request.h"

enum { INCOMING_PARAMETERS_MAX = 16 };

struct incoming {
    struct arena arena;
    struct request request;
    char *envp[INCOMING_PARAMETERS_MAX + 1];
};

/* A request with this method and URI (NULL: not sent) and the parameters "NAME=value" of more, up
 * to a NULL (more may be NULL as well). Returns the status of request_init(). */
enum status incoming_open(struct incoming *incoming, const char *method, const char *uri,
                          const char *const *more);

/* A GET of uri that is well-formed. */
struct request *incoming_get(struct incoming *incoming, const char *uri);

/* A POST of a JSON body, which has arrived completely. */
struct request *incoming_post(struct incoming *incoming, const char *uri, const char *body);

void incoming_close(struct incoming *incoming);

#endif
