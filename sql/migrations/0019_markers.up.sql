-- The index of the list of users that like an activity.
create index likes_newest_idx on likes (activity_uuid, created_at);
