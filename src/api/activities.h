/* Activities: what people post. */
#ifndef CRUDDUR_API_ACTIVITIES_H
#define CRUDDUR_API_ACTIVITIES_H

#include "api/endpoint.h"

handler activities_home;   /* the feed, a list */
handler activities_show;   /* one, with its replies */
handler activities_create; /* message, ttl, and user_handle or handle */

#endif
