-- Conversations with a deleted user are deleted: the columns become not null again.
drop trigger users_leave on users;
drop trigger message_groups_left on message_groups;
drop function note_leaving_user(), take_back_all(uuid, integer), drop_left_conversation();
delete from message_groups where first_user_uuid is null or second_user_uuid is null;
alter table messages
    alter column user_uuid set not null,
    drop constraint messages_user_uuid_fkey,
    add constraint messages_user_uuid_fkey foreign key (user_uuid) references users (uuid) on delete cascade;
alter table message_groups
    alter column first_user_uuid set not null,
    alter column second_user_uuid set not null,
    drop constraint message_groups_first_user_uuid_fkey,
    drop constraint message_groups_second_user_uuid_fkey,
    add constraint message_groups_first_user_uuid_fkey foreign key (first_user_uuid) references users (uuid) on delete cascade,
    add constraint message_groups_second_user_uuid_fkey foreign key (second_user_uuid) references users (uuid) on delete cascade;
drop index reposts_activity_idx, reposts_written_idx;
alter table reposts drop column written_by;

drop trigger activities_used_keys on activities;
drop function note_used_keys();
create or replace function purge_step(batch integer) returns integer
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    done integer := public.settle_threads(batch);
begin
    if done <> 0 then
        return abs(done);
    elsif public.close_growth() then
        return 1;
    end if;
    done := public.purge_expired(batch);
    if done = 0 then
        done := public.renew_activities(batch);
    end if;
    if done <> 0 then
        return abs(done);
    end if;
    -- Once a minute is enough, as every write makes the cached pages old.
    if exists (select from public.purge_progress where coalesce(finished_at < now() - interval '1 minute', true)) then
        perform public.tidy_growth();
        perform public.note_purge_end();
    end if;
    return 0;
end
$$;
drop function purge_used_keys(integer), is_key_used(uuid), recent_twin(uuid, uuid, text, interval, integer, boolean);
drop table used_keys;
drop trigger messages_place on messages;
drop function place_message();
create or replace function tell_of_activity() returns trigger
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    insert into public.notifications (user_uuid, created_at, uuid, kind, actor_uuid, activity_uuid)
    select told.uuid, new.created_at, new.uuid, told.kind, new.user_uuid, new.uuid
    from (
        select user_uuid as uuid, 'reply' as kind
        from public.activities
        where uuid = new.reply_to_activity_uuid
        union all
        select mentioned.uuid, 'mention'
        from public.mentioned_users(new.message) mentioned (uuid)
        where new.message ~ '[@\ufe6b\uff20]'
            and mentioned.uuid is distinct from (select user_uuid from public.activities where uuid = new.reply_to_activity_uuid)
    ) told
    where told.uuid <> new.user_uuid;
    return null;
end
$$;

create or replace function tell_of_mark() returns trigger
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    if tg_op = 'INSERT' then
        insert into public.notifications (user_uuid, created_at, uuid, kind, actor_uuid, activity_uuid)
        select
            a.user_uuid, new.created_at, public.event_uuid(tg_argv[0], new.user_uuid, a.uuid), tg_argv[0], new.user_uuid, a.uuid
        from public.activities a
        where a.uuid = new.activity_uuid
            and a.user_uuid <> new.user_uuid;
    else
        delete from public.notifications
        where user_uuid = (select user_uuid from public.activities where uuid = old.activity_uuid)
            and created_at = old.created_at
            and uuid = public.event_uuid(tg_argv[0], old.user_uuid, old.activity_uuid);
    end if;
    return null;
end
$$;

create or replace function tell_of_follow() returns trigger
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    if tg_op = 'INSERT' then
        insert into public.notifications (user_uuid, created_at, uuid, kind, actor_uuid)
        values (
            new.followed_uuid, new.created_at, public.event_uuid('follow', new.follower_uuid, new.followed_uuid), 'follow',
            new.follower_uuid
        );
    else
        delete from public.notifications
        where user_uuid = old.followed_uuid
            and created_at = old.created_at
            and uuid = public.event_uuid('follow', old.follower_uuid, old.followed_uuid);
    end if;
    return null;
end
$$;

drop trigger activities_tell on activities;
drop trigger likes_tell on likes;
drop trigger reposts_tell on reposts;
drop trigger follows_tell on follows;
create trigger activities_tell
    after insert on activities
    for each row
    when (new.reply_to_activity_uuid is not null or new.message ~ '[@\ufe6b\uff20]')
    execute function tell_of_activity();
create trigger likes_tell
    after insert or delete on likes
    for each row
    execute function tell_of_mark('like');
create trigger reposts_tell
    after insert or delete on reposts
    for each row
    execute function tell_of_mark('repost');
create trigger follows_tell
    after insert or delete on follows
    for each row
    execute function tell_of_follow();

drop function withdraw_notification(uuid, text, uuid, uuid), notify_user(uuid, text, uuid, uuid, timestamptz), next_notification_at(uuid, timestamptz, timestamptz), notification_lock(uuid);
drop table withdrawn_notifications;
drop index notifications_uuid_idx, notifications_actor_idx, notifications_follow_idx, notifications_activity_idx;
create index notifications_activity_idx on notifications (activity_uuid);
create index notifications_actor_idx on notifications (actor_uuid);

delete from notifications where kind in ('like', 'repost', 'follow');
insert into notifications (user_uuid, created_at, uuid, kind, actor_uuid, activity_uuid)
select a.user_uuid, mark.created_at, event_uuid(mark.kind, mark.user_uuid, a.uuid), mark.kind, mark.user_uuid, a.uuid
from (
    select 'like' as kind, user_uuid, activity_uuid, created_at from likes
    union all
    select 'repost', user_uuid, activity_uuid, created_at from reposts
) mark
join activities a on a.uuid = mark.activity_uuid and a.user_uuid <> mark.user_uuid
union all
select followed_uuid, created_at, event_uuid('follow', follower_uuid, followed_uuid), 'follow', follower_uuid, null from follows;

drop function current_view(), was_seen(xid8, pg_snapshot), embedded_replies(uuid);
drop index activities_written_idx;
alter table activities drop column written_by, drop column first_expires_at;
alter table messages drop column written_by;
alter table message_groups drop column moved_by;
