/* The metrics of a pool, for /metrics. */
#ifndef CRUDDUR_WORKER_METRICS_H
#define CRUDDUR_WORKER_METRICS_H

struct buf;
struct replicas;
struct scoreboard;
struct spans;

/* Where the figures come from. */
struct metrics_pool {
    const struct scoreboard *scoreboard;
    const struct replicas *replicas;
    const struct spans *spans; /* NULL: none were ever made */
};

/* Appends the scoreboard's counters of all workers, including workers that have ended, and the
 * counts of spans, in Prometheus's text format. (This is the write function of a struct
 * metrics_source; pool is a struct metrics_pool.) */
void metrics_write(const void *pool, struct buf *text);

#endif
