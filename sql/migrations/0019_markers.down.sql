drop index likes_newest_idx;
