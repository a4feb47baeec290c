create or replace function search_step(loose tsquery, fit tsquery, rung integer, enough integer) returns table (uuids uuid[], seen bigint)
    language sql
    stable
    rows 1
as $$
    with candidates as materialized (
        select uuid, created_at, expires_at, search
        from public.activities
        where search @@ (
            select
                case
                    when rung = 4 then loose
                    else loose && ('''@' || k || ':' || n || ''' | ''@' || k || ':' || n - 1 || '''')::tsquery
                end
            from (select 12 + 3 * rung as k) power
            cross join lateral (select floor(extract(epoch from now()) / (1 << k))::bigint as n) period
        )
    )
    select
        coalesce(
            (array_agg(uuid order by created_at desc, uuid desc) filter (where public.is_live(expires_at) and search @@ fit))[:enough],
            '{}'
        ),
        count(*)
    from (select * from candidates limit 1000) looked
$$;
comment on function search_step(tsquery, tsquery, integer, integer) is null;
drop function search_step(tsquery, tsquery, integer, integer, uuid, boolean);

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
    -- What a user that leaves has written goes first, and away in the same step, so that the user's index stays short.
    done := public.release_hidden(batch);
    if done = 0 then
        done := abs(public.purge_expired(batch)) + public.purge_departures(batch);
    end if;
    if done = 0 then
        done := public.renew_activities(batch);
    end if;
    if done = 0 then
        done := public.purge_used_keys(batch);
    end if;
    if done = 0 then
        done := public.purge_messages(batch);
    end if;
    if done <> 0 then
        return abs(done);
    end if;
    -- Once a minute is enough, as every write makes the cached pages old.
    if exists (select from public.purge_progress where coalesce(finished_at < now() - interval '1 minute', true)) then
        perform public.note_purge_end();
    end if;
    return 0;
end
$$;

create or replace function purge_departures(batch integer) returns integer
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    leaving uuid;
    done    integer;
begin
    select user_uuid into leaving
    from public.departures
    where due_at <= now()
    order by due_at
    limit 1
    for no key update skip locked;
    if leaving is null then
        return 0;
    elsif not exists (select from public.users where uuid = leaving) then
        delete from public.departures where user_uuid = leaving;
        return 1;
    end if;
    done := public.withdraw_activities(leaving, batch) + public.take_back_marks(leaving, batch);
    if done = 0 then
        done := public.forget_user(leaving, batch);
    end if;
    if done = 0 and not exists (select from public.activities where user_uuid = leaving) then
        delete from public.users where uuid = leaving;
        update public.departures set due_at = now() + interval '1 hour' where user_uuid = leaving;
        return 1;
    elsif done = 0 then
        update public.departures
        set due_at = greatest(
            now() + interval '10 seconds',
            (
                select max(deleted_at) + interval '1 day'
                from (select deleted_at from public.activities where user_uuid = leaving limit batch) remaining
            )
        )
        where user_uuid = leaving;
    end if;
    return done;
end
$$;

create or replace function take_back_all(actor uuid, most integer) returns integer
    language plpgsql
as $$
declare
    touched uuid[];
    gone    integer;
    done    integer := public.take_back_marks(actor, most);
begin
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
            and hidden_expires_at is null
        group by reply_to_activity_uuid
    ) taken
    where p.uuid = taken.reply_to_activity_uuid
        and p.uuid <> all (touched);
    delete from public.activities where uuid = any (touched);
    get diagnostics gone = row_count;
    return done + gone;
end
$$;

create or replace function take_back_marks(actor uuid, most integer) returns integer
    language plpgsql
as $$
declare
    touched uuid[];
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
    return done;
end
$$;

create or replace function purge_expired(batch integer) returns integer
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
    set enable_incremental_sort = on
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

create or replace function next_notification_at(recipient uuid, event_at timestamptz, earlier_at timestamptz default null) returns timestamptz
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
            when last_at < clock_timestamp() + interval '1 second' then date_trunc('milliseconds', last_at) + interval '1 millisecond'
            else last_at + interval '1 microsecond'
        end
    );
end
$$;

drop function is_suspended_now(uuid), thread_above(uuid);

alter table activities
    drop constraint activities_counts_check,
    add constraint activities_counts_check check (least(replies_count, reposts_count, likes_count) >= 0) not valid;
