-- A view says what growth counts, and close_growth makes one of the rows that belong into one, which was a function of its own.
alter table growth_closed drop column is_it;
create unique index growth_closed_single_key on growth_closed ((true));

create view growth_rows as
select created_at as at, 1 as users, 0 as posts, 0 as replies from users
union all
select created_at, 0, (reply_to_activity_uuid is null)::integer, (reply_to_activity_uuid is not null)::integer from activities;

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
    select date_bin('15 minutes', created_at, 'epoch'), (reply_to_activity_uuid is null)::integer, (reply_to_activity_uuid is not null)::integer
    from gone, public.growth_closed
    where created_at >= until;
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
    target    constant timestamptz := date_bin('15 minutes', now() - interval '1 hour', 'epoch');
    rows_most constant integer     := 20000;
    begins    timestamptz;
    ends      timestamptz;
begin
    perform pg_advisory_xact_lock(1668445540, 1);
    select until into begins from public.growth_closed;
    ends := least(date_trunc('day', (select min(at) from public.growth_rows where at >= begins), 'UTC') + interval '1 day', target);
    if ends <= begins then
        return false;
    end if;
    with taken as (
        delete from public.growth
        where ctid = any (array(
            select ctid
            from public.growth
            where at in (select at from public.growth group by at having count(*) > 1)
                or (at < now() - interval '400 days' and at <> date_trunc('day', at, 'UTC'))
            limit rows_most
        ))
        returning *
    )
    insert into public.growth (at, users, posts, replies)
    select
        case when at < now() - interval '400 days' then date_trunc('day', at, 'UTC') else date_bin('15 minutes', at, 'epoch') end as place,
        sum(users), sum(posts), sum(replies)
    from (table taken union all select * from public.growth_rows where at >= begins and at < ends) made
    group by place;
    update public.growth_closed set until = ends;
    return ends < target;
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
        perform public.note_purge_end();
    end if;
    return 0;
end
$$;

drop function tidy_growth();
