/* The clients of a worker that leaves. Their streams end, their requests go on without new keys,
 * and connections without a request under way are given to another worker or to the next server. */
#include <errno.h>
#include <sys/epoll.h>

#include "base/buf.h"
#include "config/config.h"
#include "http/fastcgi.h"
#include "shared/handover.h"
#include "worker/client_private.h"

bool clients_are_busy(const struct clients *clients)
{
    return clients_are_timing(clients) || clients->in_stage[CLIENT_QUERYING] > 0;
}

void clients_poll(struct clients *clients)
{
    for (struct client *client = clients->first, *next; client != NULL; client = next) {
        next = client->next;
        if (client->stage == CLIENT_IDLE || client->stage == CLIENT_READING) {
            client_poll_and_serve(client);
        }
    }
}

void clients_end_streams(struct clients *clients)
{
    clients->streams.is_leaving = true;
    for (struct client *client = clients->first, *next; client != NULL; client = next) {
        next = client->next;
        if (client->stage == CLIENT_STREAMING) {
            client_end_stream(client);
        }
    }
}

void clients_stop_awaiting_keys(struct clients *clients)
{
    for (struct client *client = clients->first, *next; client != NULL; client = next) {
        next = client->next;
        if (client->stage == CLIENT_AWAITING_KEYS) {
            client_resume(client, false);
        }
    }
}

typedef bool client_giver(const struct clients *clients, const void *to, int fd,
                          const struct buf *buffered);

/* Gives away all connections whose request is not being served. False, errno says why: some could
 * not be given away, and stay. */
static bool give_away(struct clients *clients, client_giver *give, const void *to)
{
    int failure = 0;

    for (struct client *client = clients->first, *next; client != NULL; client = next) {
        int fd = fastcgi_fd(client->fastcgi);
        struct buf buffered = {0};

        next = client->next;
        if (client->stage != CLIENT_IDLE && client->stage != CLIENT_READING) {
            continue;
        }
        fastcgi_buffered(client->fastcgi, &buffered);
        epoll_ctl(clients->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
        if (give(clients, to, fd, &buffered)) {
            client_close(client);
        } else {
            struct epoll_event event = {.events = CLIENT_EVENTS, .data.ptr = &client->watch};

            failure = errno;
            epoll_ctl(clients->epoll_fd, EPOLL_CTL_ADD, fd, &event);
        }
        buf_release(&buffered);
    }
    errno = failure;
    return failure == 0;
}

static bool give_to_worker(const struct clients *clients, const void *to, int fd,
                           const struct buf *buffered)
{
    return handover_give(to, fd, buffered, clients->service->config->drain_timeout);
}

static bool leave_in_socket(const struct clients *clients, const void *to, int fd,
                            const struct buf *buffered)
{
    (void)clients;
    return handover_leave(*(const int *)to, fd, buffered);
}

void clients_hand_over(struct clients *clients, const struct handover *handover)
{
    give_away(clients, give_to_worker, handover);
}

bool clients_leave(struct clients *clients, int listen_fd)
{
    return give_away(clients, leave_in_socket, &listen_fd);
}
