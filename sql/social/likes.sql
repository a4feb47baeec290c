-- Summary: a page of the users that like an activity
-- Cost: the page
-- The users that like an activity, the newest like first.
-- %(uuid)s: the activity. %(limit)s, %(after_us)s, %(after_uuid)s: as in activities/home.sql; after_uuid is a user's.
-- %(sub)s, %(viewer)s: the viewer, as in activities/home.sql.
-- Outcomes: ok. No row: there is no such activity, or it has expired.
-- A walk along likes_newest_idx, so the page costs the same with any number of likes.
with viewer as materialized (
    select * from public.viewer(%(sub)s, %(viewer)s)
),
wanted as (
    select a.uuid
    from public.activity(%(uuid)s::uuid) a
    cross join viewer
    where public.is_live(a.expires_at)
        and not public.is_blocked(viewer.uuid, a.user_uuid)
),
newest as (
    select mark.user_uuid, mark.created_at
    from wanted
    cross join lateral (
        select user_uuid, created_at
        from (
            select user_uuid, created_at
            from public.likes
            where (activity_uuid, created_at) <= (wanted.uuid, public.page_time(%(after_us)s))
                and activity_uuid >= wanted.uuid
                and (created_at < public.page_time(%(after_us)s) or user_uuid < public.page_uuid(%(after_uuid)s))
            order by activity_uuid desc, created_at desc
            fetch first (%(limit)s::integer) rows with ties
        ) tied
        order by created_at desc, user_uuid desc
        limit %(limit)s::integer
    ) mark
),
page as (
    select newest.user_uuid as uuid, names.handle, names.display_name, newest.created_at as liked_at
    from newest
    cross join viewer
    cross join lateral public.author(newest.user_uuid) names
    where not public.hides(viewer.uuid, viewer.has_hidden, newest.user_uuid)
)
select
    'ok' as outcome,
    coalesce((select json_agg(page order by liked_at desc, uuid desc) from page), '[]') as body,
    (
        select public.page_key(created_at, user_uuid)
        from newest
        order by created_at desc, user_uuid desc
        offset %(limit)s::integer - 1
    ) as next_key,
    null as lives_us,
    null as seen
from wanted
