alter function purge_expired(integer) set enable_incremental_sort = on;

-- The number of different values that the planner assumes. By itself it takes the average number of rows for a value. Most activities have
-- one like or none, so an index on the activity alone would do to find one user's like, and all likes of a popular activity would be read.
-- Where few users have most of the blocks, the whole table would be read to find out whether a user has one.
alter table likes alter column activity_uuid set (n_distinct = 1000);
alter table reposts alter column activity_uuid set (n_distinct = 1000), alter column user_uuid set (n_distinct = 1000);
alter table follows alter column followed_uuid set (n_distinct = 1000);
alter table blocks alter column user_uuid set (n_distinct = 1000), alter column blocked_uuid set (n_distinct = 1000);
alter table mutes alter column user_uuid set (n_distinct = 1000);
alter table notifications alter column activity_uuid set (n_distinct = 1000);
analyze likes, reposts, follows, blocks, mutes, notifications;
