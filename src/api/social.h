/* What people do with each other and with each other's posts. */
#ifndef CRUDDUR_API_SOCIAL_H
#define CRUDDUR_API_SOCIAL_H

#include "api/endpoint.h"

/* How many others one may follow. */
#define FOLLOWS_MAX "5000"

handler social_like; /* an activity */
handler social_unlike;
handler social_repost; /* an activity, to those who follow the caller */
handler social_unrepost;
handler social_follow; /* a user */
handler social_unfollow;
handler social_followers;     /* the users who follow a user, a list */
handler social_following;     /* what those post and repost whom the caller follows, a list */
handler social_notifications; /* what others did that concerns the caller, a list */
handler social_unread;        /* how much of it is new */
handler social_read;          /* none of it is, up to a time: until */

extern const struct statement_def SOCIAL_LIKE;
extern const struct statement_def SOCIAL_REPOST;
extern const struct statement_def SOCIAL_FOLLOW;
extern const struct statement_def SOCIAL_FOLLOWERS;
extern const struct statement_def SOCIAL_FOLLOWING;
extern const struct statement_def SOCIAL_FOLLOWING_SINCE;
extern const struct statement_def SOCIAL_NOTIFICATIONS;
extern const struct statement_def SOCIAL_UNREAD;
extern const struct statement_def SOCIAL_READ;

#endif
