#include "db/lookup.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/memory.h"

struct lookup {
    char *hosts, *ports; /* taken apart by the thread */
    struct buf found_hosts, found_addresses, found_ports;
    int found;
    char failure[512];
    int done_fd;
    atomic_int holders; /* who started it, and its thread: the last one frees it */
};

static bool is_folder(const char *host)
{
    return *host == '\0' || *host == '/' || *host == '@';
}

static bool is_name(const char *host)
{
    struct in6_addr any;

    return !is_folder(host) && inet_pton(AF_INET, host, &any) != 1 &&
           inet_pton(AF_INET6, host, &any) != 1;
}

bool lookup_is_needed(const char *hosts)
{
    char *copy = memory_copy(hosts);
    bool is_needed = false;

    for (char *rest = copy, *host; (host = strsep(&rest, ",")) != NULL;) {
        is_needed = is_needed || is_name(host);
    }
    memory_free(copy);
    return is_needed;
}

static void release(struct lookup *lookup)
{
    if (atomic_fetch_sub(&lookup->holders, 1) > 1) {
        return;
    }
    close(lookup->done_fd);
    memory_free(lookup->hosts);
    memory_free(lookup->ports);
    buf_release(&lookup->found_hosts);
    buf_release(&lookup->found_addresses);
    buf_release(&lookup->found_ports);
    memory_free(lookup);
}

static void add(struct lookup *lookup, const char *host, const char *address, const char *port)
{
    const char *comma = lookup->found++ > 0 ? "," : "";

    buf_printf(&lookup->found_hosts, "%s%s", comma, host);
    buf_printf(&lookup->found_addresses, "%s%s", comma, address);
    buf_printf(&lookup->found_ports, "%s%s", comma, port);
}

static void look_up(struct lookup *lookup, const char *host, const char *port)
{
    const struct addrinfo wanted = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    char address[INET6_ADDRSTRLEN + 32 /* the interface of a link-local one */];
    int error = getaddrinfo(host, NULL, &wanted, &found);

    if (error != 0) {
        snprintf(lookup->failure, sizeof lookup->failure,
                 "could not translate host name \"%s\" to address: %s", host, gai_strerror(error));
        return;
    }
    for (const struct addrinfo *one = found; one != NULL; one = one->ai_next) {
        if (getnameinfo(one->ai_addr, one->ai_addrlen, address, sizeof address, NULL, 0,
                        NI_NUMERICHOST) == 0) {
            add(lookup, host, address, port);
        }
    }
    freeaddrinfo(found);
}

static void *run(void *context)
{
    struct lookup *lookup = context;
    char *hosts = lookup->hosts, *ports = lookup->ports; /* what is left of them */
    const char *host, *port = "";
    const uint64_t done = 1;

    while ((host = strsep(&hosts, ",")) != NULL) {
        /* The last port is that of all further hosts, if it is the only one. */
        const char *next = strsep(&ports, ",");

        port = next != NULL ? next : port;
        if (is_folder(host)) {
            add(lookup, host, "", port);
        } else {
            look_up(lookup, host, port);
        }
    }
    ssize_t ignored = write(lookup->done_fd, &done, sizeof done);
    (void)ignored;
    release(lookup);
    return NULL;
}

/* Signals are for the thread that has the handlers' work to do. */
static bool start_thread(struct lookup *lookup)
{
    pthread_t thread;
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool is_started = pthread_create(&thread, NULL, run, lookup) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (is_started) {
        pthread_detach(thread);
    }
    return is_started;
}

struct lookup *lookup_start(const char *hosts, const char *ports)
{
    struct lookup *lookup = memory_zeroed(sizeof *lookup);

    lookup->hosts = memory_copy(hosts);
    lookup->ports = memory_copy(ports != NULL ? ports : "");
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

bool lookup_take(const struct lookup *lookup, struct addresses *found, const char **why)
{
    *found = (struct addresses){.hosts = lookup->found_hosts.bytes,
                                .addresses = lookup->found_addresses.bytes,
                                .ports = lookup->found_ports.bytes};
    *why = lookup->failure;
    return lookup->found > 0;
}

void lookup_free(struct lookup *lookup)
{
    if (lookup != NULL) {
        release(lookup);
    }
}
