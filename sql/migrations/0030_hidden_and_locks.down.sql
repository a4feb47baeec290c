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
