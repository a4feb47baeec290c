-- The index of the list of a user's followers.
create index follows_newest_idx on follows (followed_uuid, created_at, follower_uuid);
