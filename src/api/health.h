/* Whether the process runs, and whether it can do its work. */
#ifndef CRUDDUR_API_HEALTH_H
#define CRUDDUR_API_HEALTH_H

#include "api/endpoint.h"

handler health_live;  /* this process answers; the database isn't asked */
handler health_ready; /* the database answers and its schema fits */

extern const struct statement_def HEALTH_READY;

#endif
