alter function purge_expired(integer) reset enable_incremental_sort;

alter table likes alter column activity_uuid reset (n_distinct);
alter table reposts alter column activity_uuid reset (n_distinct), alter column user_uuid reset (n_distinct);
alter table follows alter column followed_uuid reset (n_distinct);
alter table blocks alter column user_uuid reset (n_distinct), alter column blocked_uuid reset (n_distinct);
alter table mutes alter column user_uuid reset (n_distinct);
alter table notifications alter column activity_uuid reset (n_distinct);
analyze likes, reposts, follows, blocks, mutes, notifications;
