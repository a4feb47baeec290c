-- What growth knew of posts that are gone is forgotten.
drop trigger activities_growth_late on activities;
drop trigger activities_growth_moved on activities;
drop trigger activities_growth_gone on activities;
drop trigger users_growth_late on users;
drop trigger users_growth_moved on users;
drop trigger users_growth_gone on users;
drop function note_late_activity();
drop function note_gone_activities();
drop function note_late_user();
drop function purge_expired(integer);
drop function note_purge_end();
drop function tidy_growth();
drop function close_growth();
drop function quarter_of(timestamptz);
drop table growth, growth_closed, purge_progress;
drop index users_created_at_idx, users_handle_prefix_idx, activities_created_at_idx;
drop trigger activities_search on activities;
drop function set_activity_search();
alter table activities drop column search, drop column tags; -- and so their indexes
drop function activity_search(text, text[], timestamptz);
drop function activity_tags(text);
