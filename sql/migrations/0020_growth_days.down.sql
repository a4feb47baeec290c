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
