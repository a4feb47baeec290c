-- What a viewer's lists leave out no longer takes the place of what a search finds. Functions that lock several activities lock the older
-- ones first, as the statements do, so that they cannot wait for each other in a circle.
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
    done    integer := public.take_back_marks(actor, most);
begin
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
        grant execute on function search_step(tsquery, tsquery, integer, integer, uuid, boolean) to cruddur_app;
    end if;
end
$$;
