/* Activities: what people post. */
#ifndef CRUDDUR_API_ACTIVITIES_H
#define CRUDDUR_API_ACTIVITIES_H

#include "api/endpoint.h"

handler activities_home;    /* the feed, a list */
handler activities_events;  /* the feed's changes, a stream */
handler activities_show;    /* one by its uuid, with its replies */
handler activities_show_of; /* the same, below its author's handle in the path */
handler activities_create;  /* message, ttl */
handler activities_reply;   /* message */
handler activities_delete;  /* one of the caller's own */
handler activities_keep;    /* one of the caller's own, for longer: ttl */
handler activities_search;  /* ?term=, the best of the newest; a list of one page */
handler activities_trends;  /* the tags of the last day */

extern const struct statement_def ACTIVITIES_HOME;
extern const struct statement_def ACTIVITIES_SINCE;
extern const struct statement_def ACTIVITIES_SEARCH;
extern const struct statement_def ACTIVITIES_TRENDS;
extern const struct statement_def ACTIVITIES_SHOW;
extern const struct statement_def ACTIVITIES_CREATE;
extern const struct statement_def ACTIVITIES_REPLY;
extern const struct statement_def ACTIVITIES_DELETE;
extern const struct statement_def ACTIVITIES_KEEP;

#endif
