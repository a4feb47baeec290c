/* One keep-alive HTTP/1.1 connection to 127.0.0.1 with at most one request under way. */
#ifndef CRUDDUR_BENCH_CLIENT_H
#define CRUDDUR_BENCH_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct client {
    int fd; /* -1: to be opened by the next request */
    char *answer;
    size_t length, capacity; /* bytes in answer, and of room */
};

enum arrival {
    ARRIVAL_PARTIAL,
    ARRIVAL_WHOLE, /* the answer is in client->answer until the next request */
    ARRIVAL_BROKEN /* closed before the answer's end, or no HTTP; the connection is gone */
};

void client_init(struct client *client);
void client_release(struct client *client);

/* Sends a request; body NULL makes a GET, else it is a POST of JSON. A connection that is not open
 * is opened first and watched by epoll_fd, with tag as its data. False: it could not be. */
bool client_ask(struct client *client, uint16_t port, int epoll_fd, void *tag, const char *path,
                const char *body);

/* Takes what has come. After a whole answer that says "Connection: close" (as nginx's every
 * thousandth does) the connection is closed, to be opened again by the next request. */
enum arrival client_take(struct client *client);

/* Of a whole answer. */
int client_status(const struct client *client);
const char *client_body(const struct client *client, size_t *length);

#endif
