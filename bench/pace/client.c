#include "client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ROOM = 65536, REQUEST_MAX = 4096 };

void client_init(struct client *client)
{
    *client = (struct client){.fd = -1};
}

static void hang_up(struct client *client)
{
    if (client->fd >= 0) {
        close(client->fd);
        client->fd = -1;
    }
}

void client_release(struct client *client)
{
    hang_up(client);
    free(client->answer);
    client_init(client);
}

static bool dial(struct client *client, uint16_t port, int epoll_fd, void *tag)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = tag};
    int on = 1;

    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client->fd < 0 || connect(client->fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
        fcntl(client->fd, F_SETFL, O_NONBLOCK) != 0 ||
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, client->fd, &event) != 0) {
        hang_up(client);
        return false;
    }
    return true;
}

bool client_ask(struct client *client, uint16_t port, int epoll_fd, void *tag, const char *path,
                const char *body)
{
    char request[REQUEST_MAX];
    int length;

    if (client->fd < 0 && !dial(client, port, epoll_fd, tag)) {
        return false;
    }
    if (body == NULL) {
        length =
            snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", path);
    } else {
        length = snprintf(request, sizeof request,
                          "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json"
                          "\r\nContent-Length: %zu\r\n\r\n%s",
                          path, strlen(body), body);
    }
    client->length = 0;
    /* A request is far smaller than the empty socket buffer that it goes into. */
    if (length <= 0 || (size_t)length >= sizeof request ||
        send(client->fd, request, (size_t)length, MSG_NOSIGNAL) != length) {
        hang_up(client);
        return false;
    }
    return true;
}

static bool make_room(struct client *client)
{
    if (client->capacity - client->length >= ROOM / 2) {
        return true;
    }
    char *bigger = realloc(client->answer, client->capacity + ROOM);
    if (bigger == NULL) {
        return false;
    }
    client->answer = bigger;
    client->capacity += ROOM;
    return true;
}

/* The end of the header, behind its empty line; NULL: not there yet. */
static const char *header_end(const struct client *client)
{
    const char *end = memmem(client->answer, client->length, "\r\n\r\n", 4);

    return end != NULL ? end + 4 : NULL;
}

/* The value of a header line whose name is given with its colon and blank; NULL: there is none. */
static const char *header_value(const struct client *client, const char *name)
{
    size_t length = strlen(name);
    const char *end = header_end(client);

    for (const char *line = client->answer; line < end;) {
        if (strncasecmp(line, name, length) == 0) {
            return line + length;
        }
        const char *next = memmem(line, (size_t)(end - line), "\r\n", 2);
        line = next != NULL ? next + 2 : end;
    }
    return NULL;
}

static bool is_whole(const struct client *client)
{
    const char *body = header_end(client);

    if (body == NULL) {
        return false;
    }
    size_t have = client->length - (size_t)(body - client->answer);
    const char *length = header_value(client, "Content-Length: ");
    if (length != NULL) {
        return have >= strtoull(length, NULL, 10);
    }
    if (header_value(client, "Transfer-Encoding: chunked") != NULL) {
        return have >= 5 && memcmp(client->answer + client->length - 5, "0\r\n\r\n", 5) == 0;
    }
    return true; /* 204 and the like */
}

enum arrival client_take(struct client *client)
{
    if (!make_room(client)) {
        hang_up(client);
        return ARRIVAL_BROKEN;
    }
    ssize_t got =
        recv(client->fd, client->answer + client->length, client->capacity - client->length - 1, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return ARRIVAL_PARTIAL;
    }
    if (got <= 0) {
        hang_up(client);
        return ARRIVAL_BROKEN;
    }
    client->length += (size_t)got;
    client->answer[client->length] = '\0';
    if (!is_whole(client)) {
        return ARRIVAL_PARTIAL;
    }
    if (header_value(client, "Connection: close") != NULL) {
        hang_up(client);
    }
    return strncmp(client->answer, "HTTP/1.1 ", 9) == 0 ? ARRIVAL_WHOLE : ARRIVAL_BROKEN;
}

int client_status(const struct client *client)
{
    return (int)strtol(client->answer + strlen("HTTP/1.1 "), NULL, 10);
}

const char *client_body(const struct client *client, size_t *length)
{
    const char *body = header_end(client);

    *length = client->length - (size_t)(body - client->answer);
    return body;
}
