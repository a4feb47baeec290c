alter function purge_expired(integer) set enable_incremental_sort = on;

-- How many different values there are, as the planner is to assume. From the rows it takes the average. So it would look up one user's like
-- in the index of all likes of the activity, in any order, as most have one or none; and where few users have all blocks, it would read
-- the table to find out whether a user has one.
alter table likes alter column activity_uuid set (n_distinct = 1000);
alter table reposts alter column activity_uuid set (n_distinct = 1000), alter column user_uuid set (n_distinct = 1000);
alter table follows alter column followed_uuid set (n_distinct = 1000);
alter table blocks alter column user_uuid set (n_distinct = 1000), alter column blocked_uuid set (n_distinct = 1000);
alter table mutes alter column user_uuid set (n_distinct = 1000);
alter table notifications alter column activity_uuid set (n_distinct = 1000);
analyze likes, reposts, follows, blocks, mutes, notifications;
