/* Each probe is a connection of its own to one address, so a host that does not answer holds up no
 * other one. A probe asks again when its interval is over and the answer to the last question has
 * come, or will not come. How many addresses there are is known when the first attempt to connect
 * has looked them up. */
#include "helper/prober.h"

#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/status.h"
#include "config/config.h"
#include "db/connection.h"
#include "db/server.h"
#include "db/statement.h"
#include "db/timelines.h"
#include "shared/scoreboard.h"

/* One address of the URL. */
struct probe {
    struct timelines *timelines;
    struct connection *connection; /* NULL: the URL had no such address so far */
    struct connection_settings settings;
    struct statement statement;
    int64_t next_us; /* when it is to be asked; INT64_MAX: it is being asked */
    int64_t interval_us;
    bool is_ready; /* its socket */
};

struct probes {
    struct probe list[PROBER_HOSTS_MAX];
    size_t count;
    int epoll_fd;
};

static void take_answer(void *context, const struct result *result)
{
    struct probe *probe = context;
    struct server server;

    if (result->status == STATUS_OK && server_read(&server, result->seen)) {
        timelines_note(probe->timelines, &server);
    }
    probe->next_us = clock_us() + probe->interval_us;
}

/* The probe of the next address. */
static void add_probe(struct probes *probes, const struct prober *prober)
{
    struct probe *probe = &probes->list[probes->count++];

    *probe = (struct probe){
        .timelines = &prober->scoreboard->timelines,
        .settings = config_connection(prober->config, "cruddurd prober"),
        .statement = statement_of(&STATEMENT_SESSION_SERVER),
        .interval_us = prober->config->primary_watch * INT64_C(1000),
    };
    probe->settings.session.lanes = LANE_SET(LANE_PROBE);
    probe->settings.session.counts = &prober->scoreboard->prober;
    probe->settings.session.only_address = (int)probes->count;
    probe->connection = connection_new(&probe->settings, prober->catalog, probes->epoll_fd, probe);
}

static void ask(struct probe *probe, int64_t now_us)
{
    if (now_us >= probe->next_us) {
        probe->next_us = INT64_MAX;
        connection_submit(probe->connection, &probe->statement, take_answer, probe);
    }
    bool is_ready = probe->is_ready;
    probe->is_ready = false;
    connection_proceed(probe->connection, is_ready);
}

static int probes_wait_ms(const struct probes *probes)
{
    int first_ms = -1;

    for (size_t i = 0; i < probes->count; i++) {
        const struct probe *probe = &probes->list[i];

        first_ms = clock_sooner(first_ms, connection_wait_ms(probe->connection));
        if (probe->next_us < INT64_MAX) {
            first_ms = clock_sooner(first_ms, clock_left_ms(probe->next_us / 1000 + 1));
        }
    }
    return first_ms;
}

static void wait_for_answers(struct probes *probes)
{
    struct epoll_event events[PROBER_HOSTS_MAX];
    int count = epoll_wait(probes->epoll_fd, events, PROBER_HOSTS_MAX, probes_wait_ms(probes));

    for (int i = 0; i < count; i++) {
        ((struct probe *)events[i].data.ptr)->is_ready = true;
    }
}

static void run(void *context)
{
    const struct prober *prober = context;
    struct probes probes = {.count = 0};

    /* It serves no request: it needs neither the listening socket nor the hook's secret. */
    close_range(STDERR_FILENO + 1, ~0U, 0);
    probes.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    add_probe(&probes, prober);
    for (;;) {
        size_t addresses = connection_addresses(probes.list[0].connection);

        while (probes.count < addresses && probes.count < PROBER_HOSTS_MAX) {
            add_probe(&probes, prober);
        }
        for (size_t i = 0; i < probes.count; i++) {
            ask(&probes.list[i], clock_us());
        }
        wait_for_answers(&probes);
    }
}

bool prober_is_wanted(const struct config *config)
{
    return config->primary_watch > 0 && config->prepare && config->has_hosts;
}

void prober_ensure(struct prober *prober, const struct config *config,
                   const struct catalog *catalog)
{
    if (prober_is_wanted(config)) {
        prober->config = config;
        prober->catalog = catalog;
        helper_ensure(&prober->helper, "cruddur-probe", run, prober);
    }
}
