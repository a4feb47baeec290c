/* getaddrinfo() blocks and has no descriptor, so a thread calls it, and an eventfd becomes
 * readable when the thread is done. The caller may give up before that; the thread then still
 * runs, and the last of the two frees the memory (holders). All signals are blocked in the thread,
 * because the signal handlers are for the main thread.
 *
 * While the thread runs it owns `found` and `failure`; the caller reads them after the eventfd was
 * readable. `wanted` is written before the thread starts and read by both. */
#include "db/lookup.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/memory.h"

/* What an empty item of a list of ports means to libpq. */
#define DEFAULT_PORT "5432"

/* wanted: the targets of the lists. found: the targets with their addresses, written by the thread
 * until it is done. */
struct lookup {
    struct targets {
        struct target *items;
        size_t count;
    } wanted, found;
    struct error failure;
    int done_fd;
    bool is_done;       /* at once: no name had to be looked up */
    atomic_int holders; /* the caller and the thread: the last one frees the lookup */
};

/* --- lists --- */

static char *copy_text(const char *text)
{
    return text != NULL ? memory_copy(text) : NULL;
}

static void add_target(struct targets *targets, const char *host, const char *address,
                       const char *port)
{
    targets->items = memory_resize(targets->items, (targets->count + 1) * sizeof targets->items[0]);
    targets->items[targets->count++] = (struct target){
        .host = copy_text(host), .address = copy_text(address), .port = copy_text(port)};
}

static void release_targets(struct targets *targets)
{
    for (size_t i = 0; i < targets->count; i++) {
        memory_free(targets->items[i].host);
        memory_free(targets->items[i].address);
        memory_free(targets->items[i].port);
    }
    memory_free(targets->items);
}

static size_t count_items(const char *list)
{
    size_t items = list != NULL;

    for (; list != NULL && *list != '\0'; list++) {
        items += *list == ',';
    }
    return items;
}

/* By libpq's rules: a path, an abstract socket, or no host, for which libpq has a default. */
static bool is_folder(const char *host)
{
    return host == NULL || *host == '\0' || *host == '/' || *host == '@';
}

/* A numeric address needs no resolver. */
static bool is_numeric(const char *host)
{
    struct in6_addr any;

    return inet_pton(AF_INET, host, &any) == 1 || inet_pton(AF_INET6, host, &any) == 1;
}

/* Only targets that have a name and no address are looked up. */
static bool is_name(const struct target *target)
{
    return target->address == NULL && !is_folder(target->host);
}

static bool has_names(const struct targets *targets)
{
    bool has = false;

    for (size_t i = 0; i < targets->count; i++) {
        has = has || is_name(&targets->items[i]);
    }
    return has;
}

/* Adds one target of the lists. libpq's defaults are used for empty items. */
static void add_wanted(struct lookup *lookup, const char *host, const char *address,
                       const char *port)
{
    if (host != NULL && *host == '\0') {
        host = NULL;
    }
    if (address == NULL || *address == '\0') {
        address = host != NULL && is_numeric(host) ? host : NULL;
    }
    add_target(&lookup->wanted, host, address, port != NULL && *port == '\0' ? DEFAULT_PORT : port);
}

/* The n-th items of the lists form one target, but a single port is the port of all targets. If
 * the lengths of the lists do not fit each other, the lists are left unchanged: libpq refuses them
 * with its own message. */
static void split_lists(struct lookup *lookup, const char *hosts, const char *addresses,
                        const char *ports)
{
    size_t host_count = count_items(hosts), address_count = count_items(addresses);
    size_t port_count = count_items(ports);
    size_t count = address_count > 0 ? address_count : host_count > 0 ? host_count : 1;
    bool fit = (host_count == 0 || host_count == count) && (port_count <= 1 || port_count == count);
    char *rest_hosts = copy_text(hosts), *rest_addresses = copy_text(addresses),
         *rest_ports = copy_text(ports);
    char *host = rest_hosts, *address = rest_addresses, *port = rest_ports;
    const char *last_port = ports;

    if (!fit) {
        add_target(&lookup->wanted, hosts, addresses != NULL ? addresses : hosts, ports);
    }
    for (size_t i = 0; fit && i < count; i++) {
        if (port != NULL) {
            last_port = strsep(&port, ",");
        }
        add_wanted(lookup, strsep(&host, ","), strsep(&address, ","), last_port);
    }
    memory_free(rest_hosts);
    memory_free(rest_addresses);
    memory_free(rest_ports);
}

/* --- the thread --- */

static void release(struct lookup *lookup)
{
    if (atomic_fetch_sub(&lookup->holders, 1) > 1) {
        return;
    }
    if (lookup->done_fd >= 0) {
        close(lookup->done_fd);
    }
    release_targets(&lookup->wanted);
    release_targets(&lookup->found);
    memory_free(lookup);
}

/* A name that fails does not end the look-up, because another name of the list may have addresses.
 * The reason is kept in case no name has any. */
static void look_up(struct lookup *lookup, const struct target *target)
{
    const struct addrinfo wanted = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    char address[INET6_ADDRSTRLEN + 32 /* the interface of a link-local address */];
    int failed = getaddrinfo(target->host, NULL, &wanted, &found);

    if (failed != 0) {
        error_set(&lookup->failure, "could not translate host name \"%s\" to address: %s",
                  target->host, gai_strerror(failed));
        return;
    }
    for (const struct addrinfo *one = found; one != NULL; one = one->ai_next) {
        if (getnameinfo(one->ai_addr, one->ai_addrlen, address, sizeof address, NULL, 0,
                        NI_NUMERICHOST) == 0) {
            add_target(&lookup->found, target->host, address, target->port);
        }
    }
    freeaddrinfo(found);
}

/* The thread. It owns found and failure until it has written to done_fd. */
static void *resolve_all(void *context)
{
    struct lookup *lookup = context;
    const uint64_t done = 1;

    for (size_t i = 0; i < lookup->wanted.count; i++) {
        const struct target *target = &lookup->wanted.items[i];

        if (is_name(target)) {
            look_up(lookup, target);
        } else {
            add_target(&lookup->found, target->host, target->address, target->port);
        }
    }
    ssize_t ignored = write(lookup->done_fd, &done, sizeof done);
    (void)ignored;
    release(lookup);
    return NULL;
}

/* The new thread inherits a mask that blocks all signals, so that only the thread that handles
 * signals receives them. */
static bool start_thread(struct lookup *lookup)
{
    pthread_t thread;
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool is_started = pthread_create(&thread, NULL, resolve_all, lookup) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (is_started) {
        pthread_detach(thread);
    }
    return is_started;
}

struct lookup *lookup_start(const char *hosts, const char *addresses, const char *ports)
{
    struct lookup *lookup = memory_zeroed(sizeof *lookup);

    lookup->done_fd = -1;
    atomic_store(&lookup->holders, 1);
    split_lists(lookup, hosts, addresses, ports);
    if (!has_names(&lookup->wanted)) {
        lookup->is_done = true;
        lookup->found = lookup->wanted;
        lookup->wanted = (struct targets){0};
        return lookup;
    }
    lookup->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    atomic_store(&lookup->holders, 2);
    if (lookup->done_fd < 0 || !start_thread(lookup)) {
        release(lookup);
        release(lookup);
        return NULL;
    }
    return lookup;
}

int lookup_fd(const struct lookup *lookup)
{
    return lookup->done_fd;
}

bool lookup_is_done(const struct lookup *lookup)
{
    return lookup->is_done;
}

bool lookup_take(const struct lookup *lookup, const struct target **targets, size_t *count,
                 struct error *error)
{
    *targets = lookup->found.items;
    *count = lookup->found.count;
    *error = lookup->failure;
    return lookup->found.count > 0;
}

void lookup_free(struct lookup *lookup)
{
    if (lookup != NULL) {
        release(lookup);
    }
}
