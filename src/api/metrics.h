/* /metrics, for Prometheus: the pool's, and what only the database knows. */
#ifndef CRUDDUR_API_METRICS_H
#define CRUDDUR_API_METRICS_H

#include "api/endpoint.h"

handler metrics_show;
finisher metrics_finish; /* also without a database: that is one of the metrics */

#endif
