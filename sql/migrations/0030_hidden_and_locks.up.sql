-- What a viewer's lists leave out no longer takes the place of what a search finds. A purge deletes no more at a time than it says, and
-- nothing of a thread that is being kept. Functions that lock several activities lock the older ones first, as the statements do, and
-- a step of the purge waits for locks before it keeps any, so that they cannot wait for each other in a circle. A user that is suspended
-- while a reply of the user's waits for a lock makes no reply. A check of the migration before this one is validated.
alter table activities validate constraint activities_counts_check;

create function is_suspended_now(one uuid) returns boolean
    language plpgsql
as $$
begin
    return exists (select from public.users where uuid = one and suspended_at is not null);
end
$$;
revoke all on function is_suspended_now(uuid) from public;

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
        (select least(read_at, clock_timestamp()) from public.notification_reads where user_uuid = recipient),
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

create function thread_above(id uuid) returns uuid[]
    language plpgsql
    stable
as $$
declare
    above uuid[] := '{}';
begin
    for height in 1 .. 100 loop
        select reply_to_activity_uuid into id from public.activities where uuid = id;
        exit when id is null;
        above := id || above;
    end loop;
    return above;
end
$$;
revoke all on function thread_above(uuid) from public;

create or replace function purge_expired(batch integer) returns integer
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
    set enable_incremental_sort = on
as $$
declare
    most    integer := 20 * batch;
    doomed  uuid[];
    below   uuid[];
    parents uuid[];
    spared  uuid[];
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
    -- Replies that are not in the list would go by a cascade: so they go first, and what is above them another time.
    loop
        below := array(
            select uuid
            from public.activities
            where reply_to_activity_uuid = any (doomed)
                and uuid <> all (doomed)
                and expires_at <= now()
            limit batch
        );
        exit when below = '{}';
        doomed := (below || doomed)[:batch];
    end loop;
    -- Another transaction that has locked a post may be keeping it, with its whole thread. A post that is locked here is not kept meanwhile.
    parents := array(
        select p.uuid
        from public.activities p
        where p.uuid in (
            select reply_to_activity_uuid from public.activities where uuid = any (doomed)
            union all
            select (public.thread_above(uuid))[1]
            from public.activities
            where uuid = any (doomed)
                and deleted_at is null
                and reply_to_activity_uuid <> all (doomed)
        )
        order by p.created_at, p.uuid
        for no key update skip locked
    );
    spared := array(
        with recursive spared as (
            select a.uuid
            from public.activities a
            where a.uuid = any (doomed)
                and (
                    exists (select from public.unsettled_threads where activity_uuid = a.uuid)
                    or (
                        a.deleted_at is null
                        and case
                            when a.reply_to_activity_uuid is null then false
                            when not a.reply_to_activity_uuid = any (parents) then true
                            when a.reply_to_activity_uuid = any (doomed) then false -- what is above it decides
                            else (
                                select
                                    not above[1] = any (parents)
                                    or exists (select from public.unsettled_threads where activity_uuid = any (above))
                                    or (cardinality(above) = 100 and exists (select from public.unsettled_threads))
                                from public.thread_above(a.uuid) above
                            )
                        end
                    )
                )
            union
            select a.uuid
            from spared
            join public.activities a on a.reply_to_activity_uuid = spared.uuid
            where a.uuid = any (doomed)
                and a.deleted_at is null
        )
        select uuid from spared
    );
    doomed := array(
        select a.uuid
        from public.activities a
        where a.uuid = any (doomed)
            and a.uuid <> all (spared)
            and a.expires_at <= now() -- still: it may be kept for longer now
            and (a.reply_to_activity_uuid is null or a.reply_to_activity_uuid = any (parents))
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
    where p.uuid = gone.reply_to_activity_uuid
        and p.uuid <> all (doomed);
    delete from public.activities where uuid = any (doomed);
    update public.purge_progress set posts = posts + cardinality(doomed) where doomed <> '{}';
    return cardinality(doomed);
end
$$;

create or replace function take_back_marks(actor uuid, most integer) returns integer
    language plpgsql
as $$
declare
    liked    uuid[] := array(select activity_uuid from public.likes where user_uuid = actor limit most);
    reposted uuid[] := array(select activity_uuid from public.reposts where user_uuid = actor limit most);
begin
    perform from public.activities where uuid = any (liked || reposted) order by created_at, uuid for no key update;
    with taken as (
        delete from public.likes where user_uuid = actor and activity_uuid = any (liked) returning activity_uuid
    )
    update public.activities a
    set likes_count = greatest(a.likes_count - 1, 0)
    from taken
    where a.uuid = taken.activity_uuid;
    with taken as (
        delete from public.reposts where user_uuid = actor and activity_uuid = any (reposted) returning activity_uuid
    )
    update public.activities a
    set reposts_count = greatest(a.reposts_count - 1, 0)
    from taken
    where a.uuid = taken.activity_uuid;
    return cardinality(liked) + cardinality(reposted);
end
$$;

create or replace function take_back_all(actor uuid, most integer) returns integer
    language plpgsql
as $$
declare
    touched uuid[];
    done    integer;
begin
    -- As the purge, which has this lock before those of activities; note_gone_activities takes it.
    perform pg_advisory_xact_lock_shared(1668445540, 1);
    done := public.take_back_marks(actor, most);
    if done > 0 then
        return done;
    end if;
    touched := array(select uuid from public.activities where user_uuid = actor limit most);
    perform
    from public.activities
    where uuid in (select reply_to_activity_uuid from public.activities where uuid = any (touched))
    order by created_at, uuid
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
    get diagnostics done = row_count;
    return done;
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
    done := public.withdraw_activities(leaving, batch);
    if done = 0 then
        done := public.take_back_marks(leaving, batch);
    end if;
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
        -- In this order: departures wait for locks, and purge_expired, which never waits, keeps those that it takes.
        done := public.purge_departures(batch) + abs(public.purge_expired(batch));
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

create function search_step(loose tsquery, fit tsquery, rung integer, enough integer, viewer uuid, has_hidden boolean)
    returns table (uuids uuid[], seen bigint)
    language sql
    stable
    rows 1
as $$
    with candidates as materialized (
        select uuid, user_uuid, created_at, expires_at, search
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
            (array_agg(uuid order by created_at desc, uuid desc) filter (
                where public.is_live(expires_at)
                    and search @@ fit
                    and not public.hides(viewer, has_hidden, user_uuid)
            ))[:enough],
            '{}'
        ),
        count(*)
    from (select * from candidates limit 1000) looked
$$;
revoke all on function search_step(tsquery, tsquery, integer, integer, uuid, boolean) from public;

create or replace function search_step(loose tsquery, fit tsquery, rung integer, enough integer) returns table (uuids uuid[], seen bigint)
    language sql
    stable
    rows 1
as $$
    select uuids, seen from public.search_step(loose, fit, rung, enough, null, false)
$$;
comment on function search_step(tsquery, tsquery, integer, integer) is 'deprecated: without a viewer';

do $$
begin
    if to_regrole('cruddur_app') is not null then
        grant execute on function is_suspended_now(uuid), search_step(tsquery, tsquery, integer, integer, uuid, boolean) to cruddur_app;
    end if;
end
$$;
