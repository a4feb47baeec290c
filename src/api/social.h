/* Likes, reposts, follows and notifications. */
#ifndef CRUDDUR_API_SOCIAL_H
#define CRUDDUR_API_SOCIAL_H

#include "api/endpoint.h"

/* How many users a user may follow. */
#define FOLLOWS_MAX "5000"
/* How many users a user may block, and how many mute. */
#define BLOCKS_MAX "5000"
#define MUTES_MAX "5000"

handler social_like; /* an activity */
handler social_unlike;
handler social_repost; /* an activity, to the caller's followers */
handler social_unrepost;
handler social_follow; /* a user */
handler social_unfollow;
handler social_block; /* a user: that user and the caller no longer see each other */
handler social_unblock;
handler social_mute; /* a user, in the caller's lists and notifications */
handler social_unmute;
handler social_likes;         /* the users that like an activity, a list */
handler social_reposts;       /* the users that reposted it, a list */
handler social_followers;     /* the followers of a user, a list */
handler social_following;     /* posts and reposts by the users that the caller follows, a list */
handler social_notifications; /* what others did that concerns the caller, a list */
handler social_unread;        /* how many notifications are not read yet */
handler social_read;          /* marks notifications as read up to a time: until */
handler social_report;        /* an activity, for the operators: reason */

extern const struct statement_def SOCIAL_MARK;
extern const struct statement_def SOCIAL_FOLLOW;
extern const struct statement_def SOCIAL_BLOCK;
extern const struct statement_def SOCIAL_MUTE;
extern const struct statement_def SOCIAL_HIDDEN; /* of home, see viewers.h */
extern const struct statement_def SOCIAL_MARKS;
extern const struct statement_def SOCIAL_FOLLOWERS;
extern const struct statement_def SOCIAL_FOLLOWING;
extern const struct statement_def SOCIAL_FOLLOWING_SINCE;
extern const struct statement_def SOCIAL_NOTIFICATIONS;
extern const struct statement_def SOCIAL_UNREAD;
extern const struct statement_def SOCIAL_READ;
extern const struct statement_def SOCIAL_REPORT;

#endif
