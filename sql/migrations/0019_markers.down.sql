drop index likes_newest_idx;
drop index reposts_activity_idx;
create index reposts_activity_idx on reposts (activity_uuid, created_at);
