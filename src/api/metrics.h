/* /metrics, for Prometheus: the pool's metrics, and those that come from the database. And how the
 * service grows. */
#ifndef CRUDDUR_API_METRICS_H
#define CRUDDUR_API_METRICS_H

#include "api/endpoint.h"

handler metrics_show;
finisher metrics_finish; /* also without a database: whether it answers is one of the metrics */

handler metrics_growth; /* users, posts and replies: in all, and on each of the last days of ?tz= */

extern const struct statement_def METRICS_GROWTH;
extern const struct statement_def METRICS_PURGE;

#endif
