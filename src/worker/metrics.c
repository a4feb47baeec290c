#include "worker/metrics.h"

#include "base/buf.h"
#include "base/counter.h"
#include "base/exposition.h"
#include "base/memory.h"
#include "db/catalog.h"
#include "db/statement.h"
#include "shared/counts.h"
#include "shared/replicas.h"
#include "shared/scoreboard.h"
#include "shared/spans.h"
#include "worker/refusals.h"
#include "worker/tally.h"

static const char *const STATES[WORKER_STATES] = {[WORKER_STARTING] = "starting",
                                                  [WORKER_IDLE] = "idle",
                                                  [WORKER_BUSY] = "busy",
                                                  [WORKER_DRAINING] = "draining"};

static const char *const LANES[] = {
    [LANE_READ] = "reads",  [LANE_WRITE] = "writes",    [LANE_SLOW] = "slow",
    [LANE_HOOK] = "hook",   [LANE_WATCH] = "watch",     [LANE_PURGE] = "purge",
    [LANE_PROBE] = "probe", [LANE_REPLICA] = "replica", [LANE_REPLICA_SLOW] = "replica_slow"};

static const char *const REASONS[FALLBACKS] = {
    [FALLBACK_KIND] = "kind",     [FALLBACK_AWAY] = "away", [FALLBACK_UNKNOWN] = "unknown",
    [FALLBACK_BEHIND] = "behind", [FALLBACK_LATE] = "late", [FALLBACK_MISSING] = "missing",
    [FALLBACK_FAILED] = "failed"};

/* The counters of all workers added up, and the number of workers in each state. */
struct sum {
    struct score score;
    uint64_t workers[WORKER_STATES];
};

static void add_sessions(struct session_counts *sum, const struct session_counts *more)
{
    counter_add(&sum->begun, counter_value(&more->begun));
    counter_add(&sum->failed, counter_value(&more->failed));
    counter_add(&sum->ended, counter_value(&more->ended));
}

static void add_replica(struct replica_counts *sum, const struct replica_counts *more)
{
    counter_add(&sum->at_replica, counter_value(&more->at_replica));
    counter_add(&sum->stale, counter_value(&more->stale));
    for (int i = 0; i < FALLBACKS; i++) {
        counter_add(&sum->fallbacks[i], counter_value(&more->fallbacks[i]));
    }
}

static void add_streams(struct stream_counts *sum, const struct score *score)
{
    const struct stream_counts *more = &score->streams;

    counter_add(&sum->refused_by_pool, counter_value(&more->refused_by_pool));
    counter_add(&sum->refused_by_worker, counter_value(&more->refused_by_worker));
    counter_add(&sum->stalled, counter_value(&more->stalled));
}

static void add_score(struct sum *sum, const struct score *score)
{
    sum->workers[atomic_load(&score->state)]++;
    counter_add(&sum->score.connections, counter_value(&score->connections));
    for (int i = 0; i < LANE_WORKER_COUNT; i++) {
        add_sessions(&sum->score.sessions[i], &score->sessions[i]);
    }
    counter_add(&sum->score.cache.hits, counter_value(&score->cache.hits));
    counter_add(&sum->score.cache.coalesced, counter_value(&score->cache.coalesced));
    counter_add(&sum->score.cache.misses, counter_value(&score->cache.misses));
    add_streams(&sum->score.streams, score);
    add_replica(&sum->score.replica, &score->replica);
    refusals_add(&sum->score.refusals, &score->refusals);
    tally_add(&sum->score.tally, &score->tally);
}

static void write_workers(const struct scoreboard *scoreboard, const struct sum *sum,
                          struct buf *text)
{
    exposition_begin(text, "cruddur_workers", "gauge", "Worker processes.");
    for (int i = WORKER_NONE + 1; i < WORKER_STATES; i++) {
        exposition_labelled(text, "cruddur_workers", "state", STATES[i], sum->workers[i]);
    }
    exposition_one(text, "cruddur_workers_wanted", "gauge", "As many as there are to be.",
                   (uint64_t)atomic_load(&scoreboard->workers_wanted));
    exposition_one(text, "cruddur_worker_restarts_total", "counter",
                   "Workers that came in the place of one that had ended by itself.",
                   counter_value(&scoreboard->restarts));
    exposition_begin(text, "cruddur_reloads_total", "counter", "HUP.");
    exposition_labelled(text, "cruddur_reloads_total", "result", "done",
                        counter_value(&scoreboard->reloads));
    exposition_labelled(text, "cruddur_reloads_total", "result", "refused",
                        counter_value(&scoreboard->reloads_refused));
    exposition_one(text, "cruddur_connections_total", "counter", "Connections from the web server.",
                   counter_value(&sum->score.connections));
}

static void write_sessions(struct buf *text, const char *lane, const struct session_counts *counts)
{
    const struct {
        const char *result;
        const counter *count;
    } rows[] = {{"begun", &counts->begun}, {"failed", &counts->failed}, {"ended", &counts->ended}};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        buf_printf(text, "cruddur_database_sessions_total{lane=\"%s\",event=\"%s\"} %llu\n", lane,
                   rows[i].result, (unsigned long long)counter_value(rows[i].count));
    }
}

static void write_database(const struct scoreboard *scoreboard, const struct sum *sum,
                           struct buf *text)
{
    exposition_begin(text, "cruddur_database_sessions_total", "counter",
                     "Sessions that began, attempts that failed, sessions that ended.");
    for (int lane = 0; lane < LANE_WORKER_COUNT; lane++) {
        write_sessions(text, LANES[lane], &sum->score.sessions[lane]);
    }
    write_sessions(text, LANES[LANE_WATCH], &scoreboard->watcher);
    write_sessions(text, LANES[LANE_PURGE], &scoreboard->purger);
    write_sessions(text, LANES[LANE_PROBE], &scoreboard->prober);
}

static void write_cache(const struct cache_counts *cache, struct buf *text)
{
    static const char NAME[] = "cruddur_feed_requests_total";

    exposition_begin(text, NAME, "counter",
                     "Requests for the first page of home: it was kept, on its way, or asked for.");
    exposition_labelled(text, NAME, "source", "kept", counter_value(&cache->hits));
    exposition_labelled(text, NAME, "source", "shared", counter_value(&cache->coalesced));
    exposition_labelled(text, NAME, "source", "asked", counter_value(&cache->misses));
}

static void write_replicas(const struct replicas *replicas, const struct replica_counts *counts,
                           struct buf *text)
{
    static const char FALLBACKS_NAME[] = "cruddur_replica_fallbacks_total";

    exposition_begin(text, FALLBACKS_NAME, "counter",
                     "Reads that went to the primary though there are replicas, by the reason.");
    for (int i = 0; i < FALLBACKS; i++) {
        exposition_labelled(text, FALLBACKS_NAME, "reason", REASONS[i],
                            counter_value(&counts->fallbacks[i]));
    }
    exposition_begin(
        text, "cruddur_replica_lag_seconds", "gauge",
        "How far the best replica was behind when it was last asked; 0: there is none.");
    buf_text(text, "cruddur_replica_lag_seconds ");
    exposition_seconds(text, (uint64_t)replicas_lag_us(replicas));
    exposition_one(text, "cruddur_replica_reads_total", "counter", "Reads that a replica ran.",
                   counter_value(&counts->at_replica));
    exposition_one(text, "cruddur_replica_stale_reads_total", "counter",
                   "Of these, reads that the primary could not run.",
                   counter_value(&counts->stale));
}

static void write_streams(const struct scoreboard *scoreboard, const struct stream_counts *streams,
                          struct buf *text)
{
    static const char REFUSED[] = "cruddur_streams_refused_total";

    exposition_one(text, "cruddur_streams", "gauge", "Open streams of home's events.",
                   (uint64_t)scoreboard_streams(scoreboard));
    exposition_begin(text, REFUSED, "counter", "Streams that were refused, by the limit.");
    exposition_labelled(text, REFUSED, "limit", "pool", counter_value(&streams->refused_by_pool));
    exposition_labelled(text, REFUSED, "limit", "worker",
                        counter_value(&streams->refused_by_worker));
    exposition_one(text, "cruddur_streams_stalled_total", "counter",
                   "Streams that were ended because their client did not read.",
                   counter_value(&streams->stalled));
}

static void write_spans(const struct spans *spans, struct buf *text)
{
    static const char NAME[] = "cruddur_spans_total";

    exposition_begin(
        text, NAME, "counter",
        "Spans of traces that were sent: the collector took them, or they were given up.");
    exposition_labelled(text, NAME, "result", "exported",
                        spans != NULL ? counter_value(&spans->exported) : 0);
    exposition_labelled(text, NAME, "result", "failed",
                        spans != NULL ? counter_value(&spans->failed) : 0);
    exposition_one(text, "cruddur_spans_dropped_total", "counter",
                   "Spans that were not sent, as too many waited for the collector.",
                   spans != NULL ? spans_dropped(spans) : 0);
}

void metrics_write(const void *pool, struct buf *text)
{
    const struct metrics_pool *of = pool;
    const struct scoreboard *scoreboard = of->scoreboard;
    struct sum *sum = memory_zeroed(sizeof *sum);
    size_t slots = atomic_load(&scoreboard->slots_used);

    for (size_t i = 0; i < slots; i++) {
        add_score(sum, &scoreboard->scores[i]);
    }
    exposition_begin(text, "cruddur_build_info", "gauge", "1; the version is in the label.");
    exposition_labelled(text, "cruddur_build_info", "version", PACKAGE_VERSION, 1);
    exposition_one(text, "process_start_time_seconds", "gauge", "Since 1970, of the master.",
                   (uint64_t)scoreboard->started_s);
    write_workers(scoreboard, sum, text);
    write_database(scoreboard, sum, text);
    write_cache(&sum->score.cache, text);
    write_replicas(of->replicas, &sum->score.replica, text);
    write_streams(scoreboard, &sum->score.streams, text);
    write_spans(of->spans, text);
    refusals_write(&sum->score.refusals, text);
    tally_write(&sum->score.tally, text);
    memory_free(sum);
}
