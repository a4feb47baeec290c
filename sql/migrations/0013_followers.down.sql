drop index follows_newest_idx;
