/* How the service grows. */
#ifndef CRUDDUR_API_GROWTH_H
#define CRUDDUR_API_GROWTH_H

#include "api/endpoint.h"

handler growth_days; /* in all, and on each of the last days of ?tz= */

#endif
