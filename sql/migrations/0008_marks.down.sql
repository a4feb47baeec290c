-- What was marked as deleted is deleted.
do $$
begin
    if to_regrole('cruddur_app') is not null then
        grant delete on activities to cruddur_app;
    end if;
end
$$;

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
        order by expires_at, created_at desc, reply_to_activity_uuid is null
        limit batch
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
        group by reply_to_activity_uuid
    ) gone
    where p.uuid = gone.reply_to_activity_uuid;
    delete from public.activities where uuid = any (doomed);
    update public.purge_progress set posts = posts + cardinality(doomed) where doomed <> '{}';
    return cardinality(doomed);
end
$$;

drop function purge_step(integer);
drop function settle_threads(integer);
drop function settle_replies(uuid, integer);
drop table unsettled_threads;

-- A reply expires with what it replies to: when that is kept for longer so are its replies, one level after the other.
create function keep_replies() returns trigger
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    update public.activities set expires_at = new.expires_at
    where reply_to_activity_uuid = new.uuid
        and expires_at < new.expires_at;
    return null;
end
$$;
revoke all on function keep_replies() from public;

create trigger activities_keep_replies
    after update of expires_at on activities
    for each row
    when (new.expires_at > old.expires_at)
    execute function keep_replies();

drop function take_back(text, uuid, uuid);
delete from activities where deleted_at is not null;
alter table activities drop column deleted_at; -- and so its index and its constraint
alter table activities add constraint activities_expires_at_check check (expires_at > created_at);

create or replace function lifetime_key(created_at timestamptz, expires_at timestamptz) returns bigint
    language sql
    immutable
    parallel safe
as $$
    select
        case
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
