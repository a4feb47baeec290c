/* Each probe is a connection of its own to one address, so a host that does not answer does not
 * delay the others. The number of addresses of a URL is known after its first probe has looked them
 * up.
 *
 * due_us() computes when a probe must ask again from what is known when it is called. So a probe
 * has no state but the times of its last question and answer. */
#include "helper/prober.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/status.h"
#include "config/config.h"
#include "db/connection.h"
#include "db/server.h"
#include "db/statement.h"
#include "db/timelines.h"
#include "helper/positions.h"
#include "shared/replicas.h"
#include "shared/scoreboard.h"

enum { XIDS_SIZE = ACKNOWLEDGED_MAX * 21 + 3 /* {NUMBER,NUMBER…} */ };

/* One address of a URL. */
struct probe {
    struct probes *probes;
    struct connection *connection;
    struct connection_settings settings;
    struct statement statement;
    bool is_ready;       /* its socket has an event */
    bool is_asked;       /* the answer has not come yet */
    struct moment asked; /* the last question; {0}: none */
    int64_t answered_us; /* the last answer, or failure */
    bool is_primary;     /* by the last answer */
    int64_t newest_us;   /* of a replica: time of the newest position when it was asked */
    int64_t run;         /* of a replica: this and covers, as published */
    struct moment covers;
    int64_t covered_us; /* the latest time that it ever covered */
    struct statement committed;
    char xids[XIDS_SIZE]; /* the parameter of committed */
    uint64_t until;       /* if it has all of xids, it has the writes up to this number */
};

/* The probes of one URL. */
struct group {
    struct probe list[PROBER_HOSTS_MAX];
    size_t count;
};

struct probes {
    const struct prober *prober;
    struct group hosts;    /* of CONNECTION_URL */
    struct group replicas; /* of READ_CONNECTION_URL; a probe and its entry have one index */
    struct positions positions;
    const struct timeline *timeline;     /* of the primary's system; NULL: no primary answered */
    struct replica before[REPLICAS_MAX]; /* what the prober before this one has published */
    int epoll_fd, wake_fd;
};

_Static_assert((int)PROBER_HOSTS_MAX <= (int)REPLICAS_MAX, "each replica has an entry");

/* --- when --- */

static bool are_reads_wanted(const struct probes *probes, int64_t now_us)
{
    return probes->prober->asks_replicas && replicas_are_wanted(probes->prober->replicas, now_us);
}

static int64_t shorter(int64_t one_us, int64_t other_us)
{
    return one_us < other_us ? one_us : other_us;
}

/* The time between two questions to a host of CONNECTION_URL. */
static int64_t interval_us(const struct probe *probe, bool is_wanted)
{
    const struct config *config = probe->probes->prober->config;
    int64_t watch_us = config->primary_watch > 0 && config->has_hosts
                           ? config->primary_watch * INT64_C(1000)
                           : PROBER_IDLE_MS * INT64_C(1000);

    if (!probe->probes->prober->asks_replicas) {
        return watch_us;
    }
    return shorter(watch_us, is_wanted && probe->is_primary ? config->replica_lag * INT64_C(250)
                                                            : PROBER_IDLE_MS * INT64_C(1000));
}

static int64_t host_due_us(const struct probe *probe, bool is_wanted)
{
    int64_t due_us = probe->asked.us + interval_us(probe, is_wanted);
    int64_t written_us = atomic_load(&probe->probes->prober->replicas->written_us);

    if (is_wanted && probe->is_primary && written_us >= probe->asked.us) {
        due_us = shorter(due_us, probe->asked.us + PROBER_SPACING_MS * INT64_C(1000));
    }
    return due_us;
}

/* The longer a replica has not caught up, the longer the pause before it is asked again. */
static int64_t replica_due_us(const struct probe *probe, bool is_wanted)
{
    int64_t newest_us = positions_newest_us(&probe->probes->positions);
    int64_t most_us = probe->probes->prober->config->replica_lag * INT64_C(250);

    if (newest_us > probe->newest_us) {
        return 0;
    }
    if (is_wanted && probe->covers.us < newest_us) {
        int64_t pause_us = (probe->answered_us - newest_us) / 2;

        pause_us = shorter(pause_us, most_us);
        return probe->answered_us + (pause_us > PROBER_AGAIN_MS * INT64_C(1000)
                                         ? pause_us
                                         : PROBER_AGAIN_MS * INT64_C(1000));
    }
    return probe->asked.us + PROBER_IDLE_MS * INT64_C(1000);
}

static int64_t due_us(const struct probe *probe, bool is_replica, bool is_wanted)
{
    if (probe->is_asked) {
        return INT64_MAX;
    }
    if (probe->asked.us == 0) {
        return 0;
    }
    return is_replica ? replica_due_us(probe, is_wanted) : host_due_us(probe, is_wanted);
}

/* --- answers --- */

static bool read_answer(struct probe *probe, const struct result *result, struct server *server)
{
    probe->is_asked = false;
    probe->answered_us = clock_us();
    return result->status == STATUS_OK && server_read(server, result->seen);
}

/* A primary that is superseded does not count as one any more. */
static void take_host(void *context, const struct result *result)
{
    struct probe *probe = context;
    struct server server;
    const struct timeline *timeline = NULL;

    if (read_answer(probe, result, &server)) {
        timeline = timelines_note(&probe->probes->prober->scoreboard->timelines, &server);
    }
    probe->is_primary =
        timeline != NULL && !server.is_standby && server.timeline == atomic_load(&timeline->latest);
    if (probe->is_primary) {
        probe->probes->timeline = timeline;
        positions_add(&probe->probes->positions, &server, probe->asked);
    }
}

/* run: 0 while the server does not answer. */
static void publish_covered(const struct probe *probe, int64_t run)
{
    const struct probes *probes = probe->probes;

    replicas_publish(probes->prober->replicas, (int)(probe - probes->replicas.list), run,
                     run != 0 ? probe->covers : (struct moment){0},
                     probe->answered_us - probe->covered_us);
}

static void write_xids(const uint64_t *xids, int count, char text[XIDS_SIZE])
{
    int length = snprintf(text, XIDS_SIZE, "{");

    for (int i = 0; i < count; i++) {
        length += snprintf(text + length, (size_t)(XIDS_SIZE - length), "%s%" PRIu64,
                           i > 0 ? "," : "", xids[i]);
    }
    snprintf(text + length, (size_t)(XIDS_SIZE - length), "}");
}

/* Whether to ask for transactions: the primary has been silent for a while, and is not superseded.
 * Workers may be the first to know that it is superseded. Its successor has other transactions of
 * the same numbers. */
static bool is_primary_silent(const struct probes *probes)
{
    int64_t silent_us = clock_us() - positions_newest_us(&probes->positions);
    int64_t lag_us = probes->prober->config->replica_lag * INT64_C(1000);

    return silent_us > shorter(lag_us, PROBER_IDLE_MS * INT64_C(1000)) &&
           atomic_load(&probes->timeline->latest) == probes->positions.timeline;
}

/* By now the connection may have another session, with another server, than for the question. */
static void take_transactions(void *context, const struct result *result)
{
    struct probe *probe = context;

    probe->is_asked = false;
    probe->answered_us = clock_us();
    if (result_is_ok(result) && connection_is_ready(probe->connection) &&
        connection_run(probe->connection) == probe->run && is_primary_silent(probe->probes)) {
        probe->covers.acknowledged = probe->until;
        publish_covered(probe, probe->run);
    }
}

/* Asks the replica whether it has the acknowledged writes that are not covered by its moment. */
static void ask_for_transactions(struct probe *probe)
{
    const struct replicas *replicas = probe->probes->prober->replicas;
    uint64_t xids[ACKNOWLEDGED_MAX];
    int count;

    probe->until = replicas_now(replicas).acknowledged; /* before the timeline is read */
    count = replicas_transactions(replicas, probe->covers.acknowledged, probe->until, xids);
    if (count <= 0 || !is_primary_silent(probe->probes)) {
        return;
    }
    write_xids(xids, count, probe->xids);
    statement_bind(&probe->committed, "xids", probe->xids);
    probe->is_asked = true;
    connection_submit(probe->connection, &probe->committed, take_transactions, probe);
}

/* What a run has covered once it covers for ever, whatever its next answers say, since a replica
 * only goes on in the log. But a replica of another timeline than the primary's covers nothing. (It
 * may have been promoted for a purpose of its own. That does not make it this pool's primary.) */
static void take_replica(void *context, const struct result *result)
{
    struct probe *probe = context;
    struct probes *probes = probe->probes;
    struct server server;

    if (!read_answer(probe, result, &server)) {
        publish_covered(probe, 0);
        return;
    }
    bool is_known = positions_are_of(&probes->positions, &server) ||
                    (probes->timeline == NULL && server.is_standby);
    struct moment covers =
        is_known ? positions_covered(&probes->positions, &server) : (struct moment){0};

    if (is_known && server.run == probe->run) {
        covers.us = covers.us > probe->covers.us ? covers.us : probe->covers.us;
        covers.acknowledged = covers.acknowledged > probe->covers.acknowledged
                                  ? covers.acknowledged
                                  : probe->covers.acknowledged;
    }
    probe->run = server.run;
    probe->covers = covers;
    probe->covered_us = covers.us > probe->covered_us ? covers.us : probe->covered_us;
    publish_covered(probe, probe->run);
    if (covers.us != 0 && probes->timeline != NULL) {
        ask_for_transactions(probe);
    }
}

/* Takes over what the previous prober published about the same address, since the next answer of
 * the primary may come late. */
static void take_over(struct probe *probe)
{
    const struct replica *before = &probe->probes->before[probe - probe->probes->replicas.list];

    probe->run = atomic_load(&before->run);
    probe->covers =
        (struct moment){atomic_load(&before->covers_us), atomic_load(&before->acknowledged)};
    if (probe->covers.us != 0) {
        probe->covered_us = probe->covers.us;
    }
    probe->answered_us = clock_us();
    publish_covered(probe, probe->run);
}

/* --- questions --- */

/* Adds the probe of the next address. */
static void add_probe(struct probes *probes, struct group *group)
{
    const struct prober *prober = probes->prober;
    struct probe *probe = &group->list[group->count++];

    *probe = (struct probe){
        .probes = probes,
        .settings = config_connection(prober->config, "cruddurd prober"),
        .statement = statement_of(&STATEMENT_SESSION_SERVER),
        .committed = statement_of(&STATEMENT_SESSION_COMMITTED),
        .covered_us = clock_us(),
    };
    if (group == &probes->replicas) {
        config_use_replicas(prober->config, &probe->settings);
        probe->settings.session.is_replica = true;
        take_over(probe);
    }
    probe->settings.session.lanes = LANE_SET(LANE_PROBE);
    probe->settings.session.counts = &prober->scoreboard->prober;
    probe->settings.session.only_address = (int)group->count;
    probe->connection = connection_new(&probe->settings, prober->catalog, probes->epoll_fd, probe);
}

static void add_probes(struct probes *probes, struct group *group)
{
    while (group->count == 0 || (group->count < PROBER_HOSTS_MAX &&
                                 group->count < connection_addresses(group->list[0].connection))) {
        add_probe(probes, group);
    }
}

static void ask(struct group *group, bool is_replica, bool is_wanted)
{
    for (size_t i = 0; i < group->count; i++) {
        struct probe *probe = &group->list[i];
        bool is_ready = probe->is_ready;

        probe->is_ready = false;
        if (due_us(probe, is_replica, is_wanted) <= clock_us()) {
            probe->is_asked = true;
            probe->asked = replicas_now(probe->probes->prober->replicas);
            probe->newest_us = positions_newest_us(&probe->probes->positions);
            connection_submit(probe->connection, &probe->statement,
                              is_replica ? take_replica : take_host, probe);
        }
        connection_proceed(probe->connection, is_ready);
    }
}

static int group_wait_ms(const struct group *group, bool is_replica, bool is_wanted)
{
    int first_ms = -1;

    for (size_t i = 0; i < group->count; i++) {
        const struct probe *probe = &group->list[i];
        int64_t left_us = due_us(probe, is_replica, is_wanted) - clock_us();

        first_ms = clock_sooner(first_ms, connection_wait_ms(probe->connection));
        if (!probe->is_asked) {
            first_ms = clock_sooner(first_ms, left_us > 0 ? (int)((left_us + 999) / 1000) : 0);
        }
    }
    return first_ms;
}

/* A write that is noted before is_awaited is set shortens the time to wait; a write that is noted
 * later ends the wait. */
static void wait_for_events(struct probes *probes)
{
    struct epoll_event events[2 * PROBER_HOSTS_MAX + 1];
    bool is_wanted = are_reads_wanted(probes, clock_us());
    uint64_t wakes;

    atomic_store(&probes->prober->replicas->is_awaited, is_wanted);
    int left_ms = clock_sooner(group_wait_ms(&probes->hosts, false, is_wanted),
                               group_wait_ms(&probes->replicas, true, is_wanted));
    int count = epoll_wait(probes->epoll_fd, events, sizeof events / sizeof events[0], left_ms);

    for (int i = 0; i < count; i++) {
        struct probe *probe = events[i].data.ptr;

        if (probe != NULL) {
            probe->is_ready = true;
        } else {
            ssize_t got = read(probes->wake_fd, &wakes, sizeof wakes);

            (void)got; /* it may have been read already */
        }
    }
}

/* The prober serves no request: of the master's descriptors it needs only the one that wakes it. */
static void open_events(struct probes *probes)
{
    struct epoll_event wake = {.events = EPOLLIN};

    probes->wake_fd = STDERR_FILENO + 1;
    dup2(probes->prober->replicas->wake_fd, probes->wake_fd);
    close_range((unsigned)probes->wake_fd + 1, ~0U, 0);
    probes->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    epoll_ctl(probes->epoll_fd, EPOLL_CTL_ADD, probes->wake_fd, &wake);
}

static void run(void *context)
{
    static struct probes probes;

    probes.prober = context;
    open_events(&probes);
    memcpy(probes.before, probes.prober->replicas->list, sizeof probes.before);
    replicas_invalidate(probes.prober->replicas); /* entries may be of other addresses */
    for (;;) {
        bool is_wanted = are_reads_wanted(&probes, clock_us());

        add_probes(&probes, &probes.hosts);
        ask(&probes.hosts, false, is_wanted);
        if (probes.prober->asks_replicas) {
            add_probes(&probes, &probes.replicas);
            ask(&probes.replicas, true, is_wanted);
        }
        wait_for_events(&probes);
    }
}

/* --- the master --- */

bool prober_prepare(struct prober *prober, struct scoreboard *scoreboard)
{
    prober->scoreboard = scoreboard;
    prober->replicas = replicas_new();
    return prober->replicas != NULL;
}

void prober_note_settings(struct prober *prober, const struct config *config)
{
    if (config_has_replicas(config)) {
        atomic_store(&prober->replicas->is_used, true);
    }
}

static bool watches_hosts(const struct config *config)
{
    return config->prepare && config->primary_watch > 0 && config->has_hosts;
}

bool prober_is_wanted(const struct config *config)
{
    return watches_hosts(config) || (config->prepare && config_has_replicas(config));
}

void prober_ensure(struct prober *prober, const struct config *config,
                   const struct catalog *catalog, bool knows_writes)
{
    bool asks_replicas = knows_writes && config->prepare && config_has_replicas(config);

    if (asks_replicas != prober->asks_replicas) {
        helper_stop(&prober->helper);
    }
    if (prober->helper.pid == 0 && (asks_replicas || watches_hosts(config))) {
        prober->config = config;
        prober->catalog = catalog;
        prober->asks_replicas = asks_replicas;
        helper_ensure(&prober->helper, "cruddur-probe", run, prober);
    }
}
