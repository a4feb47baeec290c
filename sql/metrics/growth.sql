-- How many users there are and how many posts and replies there ever were, and how many of each came on each of the last
-- seven days, today the last of them. %(zone)s: the time zone whose days these are; one that is none fails with SQLSTATE
-- 22023.
-- What was counted when its time was closed is in growth, see there; what has come since is counted here, in indexes that
-- need no look at the tables.
with closed as materialized (
    select until
    from public.growth_closed
),
spans as materialized (
    select
        day::date as date,
        greatest(day at time zone %(zone)s, (select until from closed)) as open_from,
        day at time zone %(zone)s as begins,
        (day + interval '1 day') at time zone %(zone)s as ends
    from (
        select date_trunc('day', now() at time zone %(zone)s) - back * interval '1 day' as day
        from generate_series(0, 6) back
    ) last
    union all
    select null, until, '-infinity', 'infinity'
    from closed
),
made as materialized (
    select
        date,
        (select coalesce(sum(users), 0)::bigint from public.growth where at >= begins and at < ends)
        + (select count(*) from public.users where created_at >= open_from and created_at < ends) as users,
        (select coalesce(sum(posts), 0)::bigint from public.growth where at >= begins and at < ends)
        + open.posts as posts,
        (select coalesce(sum(replies), 0)::bigint from public.growth where at >= begins and at < ends)
        + open.activities - open.posts as replies
    from spans
    cross join lateral (
        select
            (
                select count(*)
                from public.activities
                where created_at >= open_from and created_at < ends
            ) as activities,
            (
                select count(*)
                from public.activities
                where created_at >= open_from and created_at < ends
                    and reply_to_activity_uuid is null
            ) as posts
        offset 0
    ) open
)
select
    'ok' as outcome,
    json_build_object(
        'time_zone', %(zone)s::text,
        'users', users,
        'posts', posts,
        'replies', replies,
        'days', (
            select json_agg(json_build_object('date', date, 'users', users, 'posts', posts, 'replies', replies) order by date)
            from made
            where date is not null
        )
    ) as body
from made
where date is null
