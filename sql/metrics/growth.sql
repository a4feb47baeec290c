-- Summary: users, posts and replies in all and for each of some days
-- Cost: what came since growth was closed, an hour or so, and up to 50,000 rows (more are refused); and a row for every quarter of an hour of 400 days
-- How many users there are and how many posts and replies there ever were, and how many of each were created on each of the
-- last %(days)s days, today included. %(zone)s: the time zone of these days; an unknown one fails with SQLSTATE 22023.
-- The table growth (see schema.sql) has the counts of the closed time. What was created since is counted here, up to
-- 50,000 rows; if there are more, the purge has not run for a long time.
-- Outcomes: ok, growth_behind.
with closed as materialized (
    select until, 'infinity'::timestamptz as ends -- the planner does not know this value, so it expects a small range
    from public.growth_closed
),
open as materialized (
    select
        date_bin('15 minutes', created_at, timestamptz 'epoch') as at,
        sum(is_user) as users,
        sum(is_activity) as activities,
        sum(is_post) as posts
    from (
        (
            select created_at, 0 as is_user, 1 as is_activity, (reply_to_activity_uuid is null)::integer as is_post
            from public.activities
            where created_at >= (select until from closed)
                and created_at <= (select ends from closed)
            order by created_at desc, uuid desc
            limit 50001
        )
        union all
        (
            select created_at, 1, 0, 0
            from public.users
            where created_at >= (select until from closed)
                and created_at <= (select ends from closed)
            order by created_at desc
            limit 50001
        )
    ) made
    group by 1
),
spans as materialized (
    select
        day::date as date,
        -- If the clocks go back to midnight, there are two midnights; the day begins at the first.
        ((day - interval '1 second') at time zone %(zone)s) + interval '1 second' as begins,
        ((day + interval '1 day' - interval '1 second') at time zone %(zone)s) + interval '1 second' as ends
    from (
        select date_trunc('day', now() at time zone %(zone)s) - back * interval '1 day' as day
        from generate_series(0, %(days)s::integer - 1) back
    ) last
    union all
    select null, '-infinity', 'infinity'
),
made as materialized (
    select date, sum(users)::bigint as users, sum(posts)::bigint as posts, sum(replies)::bigint as replies
    from spans
    cross join lateral (
        select
            coalesce(sum(users), 0) as users,
            coalesce(sum(posts), 0) as posts,
            coalesce(sum(replies), 0) as replies
        from public.growth
        where at >= begins
            and at < ends
        union all
        select coalesce(sum(users), 0), coalesce(sum(posts), 0), coalesce(sum(activities - posts), 0)
        from open
        where at >= begins
            and at < ends
    ) counted
    group by date
)
select
    case
        when (select greatest(sum(activities), sum(users)) > 50000 from open) then 'growth_behind'
        else 'ok'
    end as outcome,
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
