-- Marks instead of deletes; writes that see what was committed while they waited; no request whose work grows with the replies.
alter table activities
    add column deleted_at timestamptz,
    drop constraint activities_expires_at_check,
    add constraint activities_expires_at_check check (expires_at > created_at or deleted_at is not null);

create index activities_deleted_at_idx on activities (deleted_at, created_at desc) where deleted_at is not null;

-- The same for all rows that there are: no index changes.
create or replace function lifetime_key(created_at timestamptz, expires_at timestamptz) returns bigint
    language sql
    immutable
    parallel safe
as $$
    select
        case
            when expires_at = '-infinity' then 0 -- deleted: in no list
            when not (isfinite(created_at) and isfinite(expires_at)) then 8
            when expires_at - created_at <= interval '1 hour' then 1
            when expires_at - created_at <= interval '3 hours' then 2
            when expires_at - created_at <= interval '12 hours' then 3
            when expires_at - created_at <= interval '1 day' then 4
            when expires_at - created_at <= interval '3 days' then 5
            when expires_at - created_at <= interval '7 days' then 6
            when expires_at - created_at <= interval '30 days' then 7
            else 8
        end * 1000000000000000000
        + case
            when created_at > timestamptz '20000-01-01 00:00:00+00' then 700000000000000000
            when created_at > '-infinity' then (date_part('epoch', created_at - timestamptz 'epoch') * 1000000)::bigint
            else -300000000000000000
        end
$$;

-- Takes back what actor did to object (an activity or a user): how many rows that were, 0 or 1. A statement that waits for a
-- lock doesn't see what was written meanwhile; a function that it calls once it has the lock does.
create function take_back(kind text, actor uuid, object uuid) returns integer
    language plpgsql
as $$
declare
    gone integer;
begin
    case kind
        when 'like' then delete from public.likes where user_uuid = actor and activity_uuid = object;
        when 'repost' then delete from public.reposts where user_uuid = actor and activity_uuid = object;
        when 'follow' then delete from public.follows where follower_uuid = actor and followed_uuid = object;
    end case;
    get diagnostics gone = row_count;
    return gone;
end
$$;
revoke all on function take_back(text, uuid, uuid) from public;

drop trigger activities_keep_replies on activities;
drop function keep_replies();

-- Threads of which some replies don't end yet when what they reply to does; the purge sees to them first.
create table unsettled_threads (
    activity_uuid uuid not null,
    constraint unsettled_threads_pkey primary key (activity_uuid),
    constraint unsettled_threads_activity_uuid_fkey foreign key (activity_uuid) references activities (uuid) on delete cascade
);

-- Has replies end with the activity top that they reply to, and theirs with them, "most" of them at most; how many it changed. What
-- is left is noted for the purge: so nobody's request grows with what others have replied. The locks go from the top of a thread
-- downwards, as everywhere. A reply that was deleted by itself stays as it is.
create function settle_replies(top uuid, most integer) returns integer
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    waiting uuid[] := array[top];
    parent  record;
    below   uuid[];
    moved   integer;
    done    integer := 0;
begin
    while waiting <> '{}' and done < most loop
        select uuid, expires_at, deleted_at into parent
        from public.activities
        where uuid = waiting[1]
        for no key update;
        with moving as (
            select uuid
            from public.activities
            where reply_to_activity_uuid = parent.uuid
                and deleted_at is null
                and expires_at is distinct from parent.expires_at
            limit most - done
            for no key update
        ),
        moved as (
            update public.activities a
            set expires_at = parent.expires_at, deleted_at = parent.deleted_at
            from moving
            where a.uuid = moving.uuid
            returning a.uuid, a.replies_count
        )
        select count(*), coalesce(array_agg(m.uuid) filter (where m.replies_count > 0), '{}') into moved, below
        from moved m;
        done := done + moved;
        waiting := waiting || below;
        if done < most then
            waiting := waiting[2:];
        end if;
    end loop;
    delete from public.unsettled_threads where activity_uuid = top and not top = any (waiting);
    insert into public.unsettled_threads (activity_uuid) select unnest(waiting) on conflict do nothing;
    return done;
end
$$;
revoke all on function settle_replies(uuid, integer) from public;

-- The purge's part of that, "batch" replies at most; how many, or -1 when nothing but a thread's end was found.
create function settle_threads(batch integer) returns integer
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    top uuid;
begin
    select t.activity_uuid into top
    from public.unsettled_threads t
    join public.activities a on a.uuid = t.activity_uuid
    limit 1
    for no key update of a skip locked;
    if top is null then
        return 0;
    end if;
    return coalesce(nullif(public.settle_replies(top, batch), 0), -1);
end
$$;
revoke all on function settle_threads(integer) from public;

create or replace function purge_expired(batch integer) returns integer
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    most    integer := 20 * batch;
    doomed  uuid[];
    parents uuid[];
    popular uuid;
begin
    doomed := array(
        select uuid
        from public.activities
        where expires_at <= now()
            and expires_at > '-infinity'
        order by expires_at, created_at desc, reply_to_activity_uuid is null
        limit batch
    );
    doomed := doomed || array(
        select uuid
        from public.activities a
        where deleted_at < now() - interval '1 day'
            and not exists (select from public.unsettled_threads where activity_uuid = a.uuid)
        order by deleted_at, created_at desc
        limit batch - cardinality(doomed)
    );
    parents := array(
        select p.uuid
        from public.activities p
        where p.uuid in (select reply_to_activity_uuid from public.activities where uuid = any (doomed))
            and (p.expires_at is null or p.expires_at > now())
        order by p.uuid
        for no key update skip locked
    );
    doomed := array(
        select a.uuid
        from public.activities a
        where a.uuid = any (doomed)
            and a.expires_at <= now() -- still: it may be kept for longer now
            and (
                a.reply_to_activity_uuid = any (parents)
                or not exists (
                    select
                    from public.activities p
                    where p.uuid = a.reply_to_activity_uuid
                        and (p.expires_at is null or p.expires_at > now())
                )
            )
        for update skip locked
    );
    select uuid into popular
    from public.activities
    where uuid = any (doomed)
    order by expires_at, created_at desc, reply_to_activity_uuid is null, uuid
    limit 1;
    doomed := array(
        select uuid
        from (
            select
                uuid,
                sum(likes_count) over this_far as likes,
                sum(reposts_count) over this_far as reposts
            from public.activities
            where uuid = any (doomed)
            window this_far as (order by expires_at, created_at desc, reply_to_activity_uuid is null, uuid)
        ) counted
        where likes <= most
            and reposts <= most
    );
    if popular is not null and doomed = '{}' then
        delete from public.likes
        where (user_uuid, activity_uuid) in (select user_uuid, activity_uuid from public.likes where activity_uuid = popular limit most);
        delete from public.reposts
        where (user_uuid, activity_uuid) in (select user_uuid, activity_uuid from public.reposts where activity_uuid = popular limit most);
        delete from public.notifications
        where (user_uuid, created_at, uuid) in (
            select user_uuid, created_at, uuid from public.notifications where activity_uuid = popular limit 2 * most
        );
        update public.activities
        set likes_count = greatest(likes_count - most, 0), reposts_count = greatest(reposts_count - most, 0)
        where uuid = popular;
        return -1;
    end if;
    update public.activities p
    set replies_count = greatest(p.replies_count - gone.replies, 0)
    from (
        select reply_to_activity_uuid, count(*) as replies
        from public.activities
        where uuid = any (doomed)
            and reply_to_activity_uuid = any (parents)
            and deleted_at is null -- else it was taken off then
        group by reply_to_activity_uuid
    ) gone
    where p.uuid = gone.reply_to_activity_uuid;
    delete from public.activities where uuid = any (doomed);
    update public.purge_progress set posts = posts + cardinality(doomed) where doomed <> '{}';
    return cardinality(doomed);
end
$$;

-- One step of the service's own purge, each a transaction of its own; how much was done, 0 when nothing is left to do. "batch"
-- limits it as in purge_expired. Replies first, so that they end with what they reply to; then growth, which counts what is there.
create function purge_step(batch integer) returns integer
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
revoke all on function purge_step(integer) from public;

do $$
begin
    if to_regrole('cruddur_app') is not null then
        revoke delete on activities from cruddur_app;
        grant update (deleted_at) on activities to cruddur_app;
        grant execute on function take_back(text, uuid, uuid), settle_replies(uuid, integer), settle_threads(integer), purge_step(integer) to cruddur_app;
    end if;
end
$$;
