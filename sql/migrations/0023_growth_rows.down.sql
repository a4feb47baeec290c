drop view growth_rows;

alter table growth_closed rename to growth_closed_before;
create table growth_closed (
    is_it boolean     not null default true,
    until timestamptz not null,
    constraint growth_closed_pkey primary key (is_it),
    constraint growth_closed_is_it_check check (is_it)
);
insert into growth_closed (until)
select until from growth_closed_before;
drop table growth_closed_before;

create or replace function note_gone_activities() returns trigger
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    if not exists (select from gone) then
        return null;
    end if;
    perform pg_advisory_xact_lock_shared(1668445540, 1);
    insert into public.growth (at, posts, replies)
    select quarter, count(*) filter (where reply_to_activity_uuid is null), count(reply_to_activity_uuid)
    from gone
    cross join public.growth_closed
    cross join lateral date_bin('15 minutes', created_at, 'epoch') quarter
    where created_at >= until
    group by quarter;
    insert into public.used_keys (uuid)
    select uuid from gone where substr(uuid::text, 15, 1) = '5'
    on conflict (uuid) do update set gone_at = excluded.gone_at;
    return null;
end
$$;

create or replace function close_growth() returns boolean
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    target constant timestamptz := date_bin('15 minutes', now() - interval '1 hour', 'epoch');
    begins timestamptz;
    ends   timestamptz;
begin
    perform pg_advisory_xact_lock(1668445540, 1);
    select until into begins from public.growth_closed;
    ends := least(
        (select min(created_at) from public.activities where created_at >= begins),
        (select min(created_at) from public.users where created_at >= begins)
    );
    ends := least(date_bin('15 minutes', ends, 'epoch') + interval '1 day', target);
    if ends <= begins then
        return false;
    end if;
    insert into public.growth (at, users, posts, replies)
    select quarter, sum(is_user), sum(is_post), sum(is_reply)
    from (
        select created_at, 1 as is_user, 0 as is_post, 0 as is_reply
        from public.users
        union all
        select created_at, 0, (reply_to_activity_uuid is null)::integer, (reply_to_activity_uuid is not null)::integer
        from public.activities
    ) made
    cross join lateral date_bin('15 minutes', created_at, 'epoch') quarter
    where created_at >= begins
        and created_at < ends
    group by quarter;
    update public.growth_closed set until = ends;
    return ends < target;
end
$$;

create function tidy_growth() returns void
    language sql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
    with placed as (
        select g.ctid as id, case when at < now() - interval '400 days' then date_trunc('day', at, 'UTC') else at end as place
        from public.growth g
    ),
    taken as (
        delete from public.growth g
        using placed
        where g.ctid = placed.id
            and placed.place in (select place from placed group by place having count(*) > 1)
        returning placed.place, g.users, g.posts, g.replies
    )
    insert into public.growth (at, users, posts, replies)
    select place, sum(users), sum(posts), sum(replies)
    from taken
    group by place
$$;
revoke all on function tidy_growth() from public;

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
    done := public.release_hidden(batch);
    if done = 0 then
        done := public.purge_expired(batch);
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
        perform public.tidy_growth();
        perform public.note_purge_end();
    end if;
    return 0;
end
$$;

do $$
begin
    if to_regrole('cruddur_app') is not null then
        grant select on growth_closed to cruddur_app;
        grant execute on function tidy_growth() to cruddur_app;
    end if;
end
$$;
