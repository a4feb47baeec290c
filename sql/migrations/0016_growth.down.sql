drop trigger activities_growth_late on activities;
drop trigger activities_growth_moved on activities;
drop trigger activities_gone on activities;
drop trigger users_growth_late on users;
drop trigger users_growth_moved on users;
drop function note_growth();

create function quarter_of(moment timestamptz) returns timestamptz
    language sql
    immutable
    parallel safe
as $$
    select to_timestamp(floor(extract(epoch from moment) / 900) * 900)
$$;
revoke all on function quarter_of(timestamptz) from public;

create function note_late_activity() returns trigger
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    perform pg_advisory_xact_lock_shared(1668445540, 1);
    if tg_op = 'UPDATE' then
        insert into public.growth (at, posts, replies)
        select public.quarter_of(old.created_at), -(old.reply_to_activity_uuid is null)::integer,
            -(old.reply_to_activity_uuid is not null)::integer
        from public.growth_closed
        where old.created_at < until;
    end if;
    insert into public.growth (at, posts, replies)
    select public.quarter_of(new.created_at), (new.reply_to_activity_uuid is null)::integer,
        (new.reply_to_activity_uuid is not null)::integer
    from public.growth_closed
    where new.created_at < until;
    return null;
end
$$;

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

create function note_late_user() returns trigger
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    perform pg_advisory_xact_lock_shared(1668445540, 1);
    if tg_op <> 'INSERT' then
        insert into public.growth (at, users)
        select public.quarter_of(old.created_at), -1
        from public.growth_closed
        where old.created_at < until;
    end if;
    if tg_op <> 'DELETE' then
        insert into public.growth (at, users)
        select public.quarter_of(new.created_at), 1
        from public.growth_closed
        where new.created_at < until;
    end if;
    return null;
end
$$;
revoke all on function note_late_activity(), note_used_keys(), note_late_user() from public;

create or replace function note_gone_activities() returns trigger
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    if exists (select from gone) then
        perform pg_advisory_xact_lock_shared(1668445540, 1);
        insert into public.growth (at, posts, replies)
        select public.quarter_of(created_at), count(*) filter (where reply_to_activity_uuid is null), count(reply_to_activity_uuid)
        from gone
        cross join public.growth_closed
        where created_at >= until
        group by 1;
    end if;
    return null;
end
$$;

create or replace function close_growth() returns boolean
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    target timestamptz := public.quarter_of(now() - interval '1 hour');
    begins timestamptz;
    ends   timestamptz;
begin
    perform pg_advisory_xact_lock(1668445540, 1);
    select until into begins from public.growth_closed;
    select public.quarter_of(least(
        (select min(created_at) from public.activities where created_at >= begins),
        (select min(created_at) from public.users where created_at >= begins)
    )) + interval '1 day' into ends;
    ends := least(ends, target);
    if ends <= begins then
        return false;
    end if;
    insert into public.growth (at, users, posts, replies)
    select public.quarter_of(created_at), sum(is_user), sum(is_post), sum(is_reply)
    from (
        select created_at, 1 as is_user, 0 as is_post, 0 as is_reply
        from public.users
        where created_at >= begins and created_at < ends
        union all
        select created_at, 0, (reply_to_activity_uuid is null)::integer, (reply_to_activity_uuid is not null)::integer
        from public.activities
        where created_at >= begins and created_at < ends
    ) made
    group by 1;
    update public.growth_closed set until = ends;
    return ends < target;
end
$$;

create or replace function tidy_growth() returns void
    language sql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
    with placed as (
        select *, case when at < now() - interval '60 days' then date_trunc('day', at, 'UTC') else at end as place
        from public.growth
    ),
    taken as (
        delete from public.growth
        where at in (
            select at from placed where place in (select place from placed group by place having count(*) > 1)
        )
        returning *
    )
    insert into public.growth (at, users, posts, replies)
    select
        case when at < now() - interval '60 days' then date_trunc('day', at, 'UTC') else at end,
        sum(users), sum(posts), sum(replies)
    from taken
    group by 1
$$;

create trigger activities_growth_late
    after insert on activities
    for each row
    when (new.created_at < now() - interval '30 minutes')
    execute function note_late_activity();
create trigger activities_growth_moved
    after update of created_at on activities
    for each row
    when (old.created_at <> new.created_at)
    execute function note_late_activity();
create trigger activities_growth_gone
    after delete on activities
    referencing old table as gone
    for each statement
    execute function note_gone_activities();
create trigger activities_used_keys
    after delete on activities
    referencing old table as gone
    for each statement
    execute function note_used_keys();
create trigger users_growth_late
    after insert on users
    for each row
    when (new.created_at < now() - interval '30 minutes')
    execute function note_late_user();
create trigger users_growth_moved
    after update of created_at on users
    for each row
    when (old.created_at <> new.created_at)
    execute function note_late_user();
create trigger users_growth_gone
    after delete on users
    for each row
    execute function note_late_user();
