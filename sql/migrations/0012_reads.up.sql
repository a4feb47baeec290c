-- Notifications and messages in the order in which they become visible, polling by snapshots, used keys, deleted users.

-- Rows from before this migration are visible in every snapshot: null.
alter table activities add column written_by xid8;
alter table activities alter column written_by set default pg_current_xact_id();
alter table messages add column written_by xid8;
alter table messages alter column written_by set default pg_current_xact_id();
alter table message_groups add column moved_by xid8;
alter table message_groups alter column moved_by set default pg_current_xact_id();
alter table activities add column first_expires_at timestamptz;
alter table reposts add column written_by xid8;
alter table reposts alter column written_by set default pg_current_xact_id();
create index activities_written_idx on activities (written_by, uuid) where reply_to_activity_uuid is null and written_by is not null;

create function current_view() returns text
    language sql
as $$
    select case
        when not pg_is_in_recovery() then
            (extract(epoch from pg_postmaster_start_time()) * 1000000)::bigint
            + (extract(epoch from coalesce(pg_stat_get_bgwriter_stat_reset_time(), 'epoch')) * 1000000)::bigint
            || '/'
            || case
                when length(pg_current_snapshot()::text) <= 400 then pg_current_snapshot()::text
                else format('%1$s:%1$s:', pg_snapshot_xmin(pg_current_snapshot()))
            end
    end
$$;
revoke all on function current_view() from public;

create function was_seen(transaction xid8, snapshot pg_snapshot) returns boolean
    language sql
    stable
as $$
    select coalesce(
        pg_visible_in_snapshot(transaction, snapshot) or transaction >= pg_snapshot_xmax(pg_current_snapshot()), true
    )
$$;
revoke all on function was_seen(xid8, pg_snapshot) from public;

create function embedded_replies(top uuid) returns json
    language plpgsql
    stable
as $$
declare
    reply    record;
    children jsonb := '{}';
    own      jsonb;
    parent   text;
begin
    for reply in
        with recursive thread as (
            (
                select a.uuid, a.user_uuid, a.message, a.replies_count, a.reposts_count, a.likes_count, a.reply_to_activity_uuid,
                    a.expires_at, a.created_at, 1 as depth
                from public.activities a
                where (a.reply_to_activity_uuid, a.created_at, a.uuid) < (top, 'infinity', 'ffffffff-ffff-ffff-ffff-ffffffffffff')
                    and a.reply_to_activity_uuid >= top
                    and coalesce(a.expires_at > now(), true)
                order by a.reply_to_activity_uuid desc, a.created_at desc, a.uuid desc
                limit 30
            )
            union all
            select below.*, thread.depth + 1
            from thread
            cross join lateral (
                select a.uuid, a.user_uuid, a.message, a.replies_count, a.reposts_count, a.likes_count, a.reply_to_activity_uuid,
                    a.expires_at, a.created_at
                from public.activities a
                where (a.reply_to_activity_uuid, a.created_at, a.uuid)
                        < (thread.uuid, 'infinity', 'ffffffff-ffff-ffff-ffff-ffffffffffff')
                    and a.reply_to_activity_uuid >= thread.uuid
                    and coalesce(a.expires_at > now(), true)
                order by a.reply_to_activity_uuid desc, a.created_at desc, a.uuid desc
                limit 10
            ) below
            where thread.replies_count > 0
                and thread.depth < 5
        ),
        found as (
            select * from thread limit 50
        )
        select f.uuid, u.display_name, u.handle, f.message, f.replies_count, f.reposts_count, f.likes_count, f.reply_to_activity_uuid,
            f.expires_at, f.created_at
        from found f
        join public.users u on u.uuid = f.user_uuid
        order by f.depth desc, f.created_at, f.uuid
    loop
        own := to_jsonb(reply) || jsonb_build_object('replies', coalesce(children -> reply.uuid::text, '[]'));
        parent := reply.reply_to_activity_uuid::text;
        children := children || jsonb_build_object(parent, coalesce(children -> parent, '[]') || jsonb_build_array(own));
    end loop;
    return coalesce(children -> top::text, '[]');
end
$$;
revoke all on function embedded_replies(uuid) from public;

create index reposts_activity_idx on reposts (activity_uuid, created_at);
create index reposts_written_idx on reposts (written_by, activity_uuid) where written_by is not null;
alter table message_groups
    alter column first_user_uuid drop not null,
    alter column second_user_uuid drop not null,
    drop constraint message_groups_first_user_uuid_fkey,
    drop constraint message_groups_second_user_uuid_fkey,
    add constraint message_groups_first_user_uuid_fkey foreign key (first_user_uuid) references users (uuid) on delete set null,
    add constraint message_groups_second_user_uuid_fkey foreign key (second_user_uuid) references users (uuid) on delete set null;
alter table messages
    alter column user_uuid drop not null,
    drop constraint messages_user_uuid_fkey,
    add constraint messages_user_uuid_fkey foreign key (user_uuid) references users (uuid) on delete set null;

drop index notifications_actor_idx, notifications_activity_idx;
create index notifications_activity_idx on notifications (activity_uuid) where activity_uuid is not null;
create index notifications_actor_idx on notifications (actor_uuid, activity_uuid);
create index notifications_follow_idx on notifications (actor_uuid, user_uuid) where kind = 'follow';
create index notifications_uuid_idx on notifications (uuid) where kind in ('like', 'repost', 'follow');

create table withdrawn_notifications (
    key           uuid        not null,
    user_uuid     uuid        not null,
    created_at    timestamptz not null,
    uuid          uuid        not null,
    kind          text        not null,
    actor_uuid    uuid        not null,
    activity_uuid uuid,
    was_read      boolean     not null,
    constraint withdrawn_notifications_pkey primary key (key),
    constraint withdrawn_notifications_user_uuid_fkey foreign key (user_uuid) references users (uuid) on delete cascade,
    constraint withdrawn_notifications_actor_uuid_fkey foreign key (actor_uuid) references users (uuid) on delete cascade,
    constraint withdrawn_notifications_activity_uuid_fkey foreign key (activity_uuid) references activities (uuid) on delete cascade
);

create index withdrawn_notifications_user_idx on withdrawn_notifications (user_uuid, created_at);
create index withdrawn_notifications_actor_idx on withdrawn_notifications (actor_uuid);
create index withdrawn_notifications_activity_idx on withdrawn_notifications (activity_uuid);

create function notification_lock(recipient uuid) returns integer
    language sql
    immutable
as $$
    select uuid_hash(recipient) & 1023
$$;
revoke all on function notification_lock(uuid) from public;

create function next_notification_at(recipient uuid, event_at timestamptz, earlier_at timestamptz default null) returns timestamptz
    language plpgsql
as $$
declare
    locked  text;
    last_at timestamptz;
begin
    locked := pg_advisory_xact_lock(1668445541, public.notification_lock(recipient)); -- an assignment takes less time than perform
    select greatest(
        (select created_at from public.notifications where user_uuid = recipient order by created_at desc, uuid desc limit 1),
        (select max(created_at) from public.withdrawn_notifications where user_uuid = recipient),
        (select read_at from public.notification_reads where user_uuid = recipient),
        '-infinity'
    ) into last_at;
    if earlier_at > last_at then
        return earlier_at;
    end if;
    return greatest(
        least(event_at, now()),
        case
            when last_at < now() + interval '1 second' then date_trunc('milliseconds', last_at) + interval '1 millisecond'
            else last_at + interval '1 microsecond'
        end
    );
end
$$;
revoke all on function next_notification_at(uuid, timestamptz, timestamptz) from public;

create function notify_user(recipient uuid, what text, actor uuid, activity uuid, event_at timestamptz) returns void
    language plpgsql
as $$
declare
    earlier record;
begin
    delete from public.withdrawn_notifications
    where key = public.event_uuid(what, actor, coalesce(activity, recipient))
    returning created_at, uuid, was_read into earlier;
    if earlier.was_read is not true then
        earlier.created_at := public.next_notification_at(recipient, event_at, earlier.created_at);
    end if;
    insert into public.notifications (user_uuid, created_at, uuid, kind, actor_uuid, activity_uuid)
    values (recipient, earlier.created_at, coalesce(earlier.uuid, gen_random_uuid()), what, actor, activity);
end
$$;
revoke all on function notify_user(uuid, text, uuid, uuid, timestamptz) from public;

create function withdraw_notification(recipient uuid, what text, actor uuid, activity uuid) returns void
    language plpgsql
as $$
declare
    gone record;
begin
    if what = 'follow' then
        delete from public.notifications
        where actor_uuid = actor and user_uuid = recipient and kind = 'follow'
        returning created_at, uuid into gone;
    else
        delete from public.notifications
        where actor_uuid = actor and activity_uuid = activity and user_uuid = recipient and kind = what
        returning created_at, uuid into gone;
    end if;
    if gone.uuid is not null and exists (select from public.users where uuid = actor) then
        insert into public.withdrawn_notifications (key, user_uuid, created_at, uuid, kind, actor_uuid, activity_uuid, was_read)
        values (
            public.event_uuid(what, actor, coalesce(activity, recipient)), recipient, gone.created_at, gone.uuid, what, actor, activity,
            coalesce(gone.created_at <= (select read_at from public.notification_reads where user_uuid = recipient), false)
        )
        on conflict (key) do nothing;
    end if;
end
$$;
revoke all on function withdraw_notification(uuid, text, uuid, uuid) from public;

create or replace function tell_of_activity() returns trigger
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    told record;
begin
    if not exists (select from public.activities where uuid = new.uuid) then
        return null; -- deleted by the same transaction
    end if;
    for told in
        select recipient.uuid, recipient.kind
        from (
            select user_uuid as uuid, 'reply' as kind
            from public.activities
            where uuid = new.reply_to_activity_uuid
            union all
            select mentioned.uuid, 'mention'
            from public.mentioned_users(new.message) mentioned (uuid)
            where new.message ~ '[@\ufe6b\uff20]'
                and mentioned.uuid is distinct from (select user_uuid from public.activities where uuid = new.reply_to_activity_uuid)
        ) recipient
        where recipient.uuid <> new.user_uuid
        order by public.notification_lock(recipient.uuid)
    loop
        insert into public.notifications (user_uuid, created_at, uuid, kind, actor_uuid, activity_uuid)
        values (
            told.uuid, public.next_notification_at(told.uuid, new.created_at), new.uuid, told.kind, new.user_uuid, new.uuid
        );
    end loop;
    return null;
end
$$;

create or replace function tell_of_mark() returns trigger
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    author uuid;
begin
    if tg_op = 'INSERT' then
        author := (select user_uuid from public.activities where uuid = new.activity_uuid);
        if author <> new.user_uuid and exists (select from public.users where uuid = new.user_uuid) then
            perform public.notify_user(author, tg_argv[0], new.user_uuid, new.activity_uuid, new.created_at);
        end if;
    else
        author := (
            select user_uuid
            from public.activities
            where uuid = old.activity_uuid
                and coalesce(expires_at > now(), true)
        );
        if author <> old.user_uuid then
            perform public.withdraw_notification(author, tg_argv[0], old.user_uuid, old.activity_uuid);
        end if;
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
        if exists (select from public.follows where follower_uuid = new.follower_uuid and followed_uuid = new.followed_uuid) then
            perform public.notify_user(new.followed_uuid, 'follow', new.follower_uuid, null, new.created_at);
        end if;
    elsif exists (select from public.users where uuid = old.followed_uuid) then
        perform public.withdraw_notification(old.followed_uuid, 'follow', old.follower_uuid, null);
    end if;
    return null;
end
$$;

drop trigger activities_tell on activities;
drop trigger likes_tell on likes;
drop trigger reposts_tell on reposts;
drop trigger follows_tell on follows;
create constraint trigger activities_tell
    after insert on activities
    deferrable initially deferred
    for each row
    when (new.reply_to_activity_uuid is not null or new.message ~ '[@\ufe6b\uff20]')
    execute function tell_of_activity();
create constraint trigger likes_tell
    after insert or delete on likes
    deferrable initially deferred
    for each row
    execute function tell_of_mark('like');
create constraint trigger reposts_tell
    after insert or delete on reposts
    deferrable initially deferred
    for each row
    execute function tell_of_mark('repost');
create constraint trigger follows_tell
    after insert or delete on follows
    deferrable initially deferred
    for each row
    execute function tell_of_follow();

create function place_message() returns trigger
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    last_at timestamptz;
begin
    select last_message_at into last_at
    from public.message_groups
    where uuid = new.message_group_uuid
    for no key update;
    if not exists (select from public.messages where uuid = new.uuid) then
        if exists (select from public.messages where message_group_uuid = new.message_group_uuid) then
            new.created_at := greatest(now(), last_at + interval '1 microsecond');
        end if;
        update public.message_groups
        set last_message_at = new.created_at, moved_by = pg_current_xact_id()
        where uuid = new.message_group_uuid;
    end if;
    return new;
end
$$;
revoke all on function place_message() from public;

create trigger messages_place
    before insert on messages
    for each row
    when (new.created_at = now())
    execute function place_message();

create function drop_left_conversation() returns trigger
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    delete from public.message_groups where uuid = new.uuid;
    return null;
end
$$;
revoke all on function drop_left_conversation() from public;

create trigger message_groups_left
    after update on message_groups
    for each row
    when (new.first_user_uuid is null and new.second_user_uuid is null)
    execute function drop_left_conversation();

-- Deletes at most "most" likes, as many reposts and as many activities of a user, and corrects the counts of the activities concerned.
-- Replies to the user's activities are deleted with them. The activities are locked first, in the order of uuid. Returns the number of
-- rows deleted.
create function take_back_all(actor uuid, most integer) returns integer
    language plpgsql
as $$
declare
    touched uuid[];
    gone    integer;
    done    integer := 0;
begin
    touched := array(select activity_uuid from public.likes where user_uuid = actor limit most);
    perform from public.activities where uuid = any (touched) order by uuid for no key update;
    with taken as (
        delete from public.likes where user_uuid = actor and activity_uuid = any (touched) returning activity_uuid
    )
    update public.activities a
    set likes_count = greatest(a.likes_count - 1, 0)
    from taken
    where a.uuid = taken.activity_uuid;
    done := done + cardinality(touched);

    touched := array(select activity_uuid from public.reposts where user_uuid = actor limit most);
    perform from public.activities where uuid = any (touched) order by uuid for no key update;
    with taken as (
        delete from public.reposts where user_uuid = actor and activity_uuid = any (touched) returning activity_uuid
    )
    update public.activities a
    set reposts_count = greatest(a.reposts_count - 1, 0)
    from taken
    where a.uuid = taken.activity_uuid;
    done := done + cardinality(touched);

    touched := array(select uuid from public.activities where user_uuid = actor limit most);
    perform
    from public.activities
    where uuid in (select reply_to_activity_uuid from public.activities where uuid = any (touched))
    order by uuid
    for no key update;
    update public.activities p
    set replies_count = greatest(p.replies_count - taken.replies, 0)
    from (
        select reply_to_activity_uuid, count(*) as replies
        from public.activities
        where uuid = any (touched)
            and deleted_at is null
        group by reply_to_activity_uuid
    ) taken
    where p.uuid = taken.reply_to_activity_uuid
        and p.uuid <> all (touched);
    delete from public.activities where uuid = any (touched);
    get diagnostics gone = row_count;
    return done + gone;
end
$$;
revoke all on function take_back_all(uuid, integer) from public;

-- Corrects the counts before a user is deleted. bin/user-delete has done the same in small transactions before.
create function note_leaving_user() returns trigger
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    while public.take_back_all(old.uuid, 1000) > 0 loop
    end loop;
    return old;
end
$$;
revoke all on function note_leaving_user() from public;

create trigger users_leave
    before delete on users
    for each row
    execute function note_leaving_user();


create table used_keys (
    uuid    uuid        not null,
    gone_at timestamptz not null default now(),
    constraint used_keys_pkey primary key (uuid)
);

create index used_keys_gone_at_idx on used_keys (gone_at);

create function note_used_keys() returns trigger
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    insert into public.used_keys (uuid)
    select uuid from gone where substr(uuid::text, 15, 1) = '5'
    on conflict (uuid) do update set gone_at = excluded.gone_at;
    return null;
end
$$;
revoke all on function note_used_keys() from public;

create trigger activities_used_keys
    after delete on activities
    referencing old table as gone
    for each statement
    execute function note_used_keys();

create function is_key_used(key uuid) returns boolean
    language plpgsql
as $$
begin
    perform from public.activities where uuid = key for update;
    return exists (select from public.used_keys where uuid = key);
end
$$;
revoke all on function is_key_used(uuid) from public;

-- Deletes at most "batch" keys that are older than seven days. Returns their number.
create function purge_used_keys(batch integer) returns integer
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    done integer;
begin
    delete from public.used_keys
    where uuid in (
        select uuid
        from public.used_keys
        where gone_at < now() - interval '7 days'
        order by gone_at
        limit batch
        for update skip locked
    );
    get diagnostics done = row_count;
    return done;
end
$$;
revoke all on function purge_used_keys(integer) from public;

create function recent_twin(
    author uuid, parent uuid, text text, lifetime interval, seconds integer, is_locked boolean
) returns uuid
    language plpgsql
as $$
begin
    return (
        select uuid
        from public.activities
        where user_uuid = author
            and created_at > now() - seconds * interval '1 second'
            and message = text
            and reply_to_activity_uuid is not distinct from parent
            and deleted_at is null
            and (parent is not null or coalesce(first_expires_at, expires_at) is not distinct from created_at + lifetime)
        limit 1
    );
end
$$;
revoke all on function recent_twin(uuid, uuid, text, interval, integer, boolean) from public;

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
    if done = 0 then
        done := public.purge_used_keys(batch);
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

do $$
begin
    if to_regrole('cruddur_app') is not null then
        grant update (first_expires_at) on activities to cruddur_app;
        grant select on used_keys to cruddur_app;
        grant select (user_uuid, created_at) on withdrawn_notifications to cruddur_app;
        grant execute on function recent_twin(uuid, uuid, text, interval, integer, boolean), is_key_used(uuid), purge_used_keys(integer) to cruddur_app;
        grant execute on function current_view(), was_seen(xid8, pg_snapshot), embedded_replies(uuid) to cruddur_app;
    end if;
end
$$;
