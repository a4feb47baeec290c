/* What a pool says of itself at /metrics. */
#ifndef CRUDDUR_WORKER_METRICS_H
#define CRUDDUR_WORKER_METRICS_H

struct buf;

/* Appends what the scoreboard has of all workers, those too that have ended, in Prometheus's text
 * format. (The write of a struct metrics_source.) */
void metrics_write(const void *scoreboard, struct buf *text);

#endif
