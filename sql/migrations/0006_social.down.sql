-- Likes, reposts and follows go with their tables and cannot be restored.
drop trigger activities_keep_replies on activities;
drop trigger activities_tell on activities;
drop table likes, reposts, follows, notifications, notification_reads;
drop function keep_replies(), tell_of_activity(), tell_of_mark(), tell_of_follow(), mentioned_users(text), event_uuid(text, uuid, uuid);

update activities set likes_count = 0, reposts_count = 0 where likes_count <> 0 or reposts_count <> 0;

do $$
begin
    if to_regrole('cruddur_app') is not null then
        revoke update (reposts_count, likes_count, expires_at) on activities from cruddur_app;
    end if;
end
$$;
