/* Users. */
#ifndef CRUDDUR_API_USERS_H
#define CRUDDUR_API_USERS_H

#include "api/endpoint.h"

handler users_short;     /* uuid, handle and display name */
handler users_suggested; /* users that the caller does not follow yet */
handler users_feed;      /* profile and activities, a list */
handler users_update;    /* the caller's own display_name and bio */
handler users_delete;    /* deletes the caller's account */

extern const struct statement_def USERS_SHORT;
extern const struct statement_def USERS_SUGGESTED;
extern const struct statement_def USERS_FEED;
extern const struct statement_def USERS_TIMELINE;
extern const struct statement_def USERS_UPDATE;
extern const struct statement_def USERS_DELETE;

#endif
