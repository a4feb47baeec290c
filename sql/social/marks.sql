-- Summary: a page of the users that like an activity, or that reposted it
-- Cost: the page
-- The users that like an activity or reposted it, the newest like or repost first.
-- %(kind)s: like or repost. %(uuid)s: the activity. %(limit)s, %(after_us)s, %(after_uuid)s: as in activities/home.sql; after_uuid is a
-- user's. %(sub)s, %(viewer)s: the viewer, as in activities/home.sql.
-- Outcomes: ok. No row: there is no such activity, or it has expired.
-- The statement walks along likes_newest_idx or reposts_activity_idx, so the page costs the same with any number of likes or reposts.
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
        (
            select user_uuid, created_at
            from public.likes
            where %(kind)s = 'like'
                and (activity_uuid, created_at) <= (wanted.uuid, public.page_time(%(after_us)s))
                and activity_uuid >= wanted.uuid
                and (created_at < public.page_time(%(after_us)s) or user_uuid < public.page_uuid(%(after_uuid)s))
            order by activity_uuid desc, created_at desc
            fetch first (%(limit)s::integer) rows with ties
        )
        union all
        (
            select user_uuid, created_at
            from public.reposts
            where %(kind)s = 'repost'
                and (activity_uuid, created_at) <= (wanted.uuid, public.page_time(%(after_us)s))
                and activity_uuid >= wanted.uuid
                and (created_at < public.page_time(%(after_us)s) or user_uuid < public.page_uuid(%(after_uuid)s))
            order by activity_uuid desc, created_at desc
            fetch first (%(limit)s::integer) rows with ties
        )
        order by created_at desc, user_uuid desc
        limit %(limit)s::integer
    ) mark
),
page as (
    select newest.user_uuid as uuid, names.handle, names.display_name, newest.created_at as marked_at
    from newest
    cross join viewer
    cross join lateral public.author(newest.user_uuid) names
    where not public.hides(viewer.uuid, viewer.has_hidden, newest.user_uuid)
)
select
    'ok' as outcome,
    coalesce(
        (
            select
                json_agg(
                    json_build_object(
                        'uuid', uuid, 'handle', handle, 'display_name', display_name,
                        case %(kind)s when 'like' then 'liked_at' else 'reposted_at' end, marked_at
                    )
                    order by marked_at desc, uuid desc
                )
            from page
        ),
        '[]'
    ) as body,
    (
        select public.page_key(created_at, user_uuid)
        from newest
        order by created_at desc, user_uuid desc
        offset %(limit)s::integer - 1
    ) as next_key,
    null as lives_us,
    null as seen
from wanted
