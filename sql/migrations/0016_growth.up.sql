-- One function counts the rows of a time that is closed, and one notes deleted activities, where there were four.
drop trigger activities_growth_late on activities;
drop trigger activities_growth_moved on activities;
drop trigger activities_growth_gone on activities;
drop trigger activities_used_keys on activities;
drop trigger users_growth_late on users;
drop trigger users_growth_moved on users;
drop trigger users_growth_gone on users;
drop function note_late_activity(), note_late_user(), note_used_keys();

create function note_growth() returns trigger
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    perform pg_advisory_xact_lock_shared(1668445540, 1);
    insert into public.growth (at, users, posts, replies)
    select
        date_bin('15 minutes', created_at, 'epoch'),
        number * (tg_table_name = 'users')::integer,
        number * (tg_table_name = 'activities' and changed ->> 'reply_to_activity_uuid' is null)::integer,
        number * (changed ->> 'reply_to_activity_uuid' is not null)::integer
    from (values (to_jsonb(old), -1), (to_jsonb(new), 1)) change (changed, number)
    cross join lateral cast(changed ->> 'created_at' as timestamptz) created_at
    cross join public.growth_closed
    where created_at < until;
    return null;
end
$$;
revoke all on function note_growth() from public;

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

create or replace function tidy_growth() returns void
    language sql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
    with placed as (
        select g.ctid as id, case when at < now() - interval '60 days' then date_trunc('day', at, 'UTC') else at end as place
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

drop function quarter_of(timestamptz);

create trigger activities_growth_late
    after insert on activities
    for each row
    when (new.created_at < now() - interval '30 minutes')
    execute function note_growth();
create trigger activities_growth_moved
    after update of created_at on activities
    for each row
    execute function note_growth();
create trigger activities_gone
    after delete on activities
    referencing old table as gone
    for each statement
    execute function note_gone_activities();
create trigger users_growth_late
    after insert on users
    for each row
    when (new.created_at < now() - interval '30 minutes')
    execute function note_growth();
create trigger users_growth_moved
    after delete or update of created_at on users
    for each row
    execute function note_growth();
