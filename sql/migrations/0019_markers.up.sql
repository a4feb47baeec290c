-- The indexes of the lists of users that like or reposted an activity.
create index likes_newest_idx on likes (activity_uuid, created_at, user_uuid);
drop index reposts_activity_idx;
create index reposts_activity_idx on reposts (activity_uuid, created_at, user_uuid);
