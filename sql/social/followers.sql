-- Summary: a page of a user's followers
-- Cost: the page
-- A user's followers, the newest first.
-- %(followed)s: the user's handle. %(limit)s, %(after_us)s, %(after_uuid)s: as in activities/home.sql; after_uuid is a follower's.
-- %(sub)s, %(viewer)s: the viewer, as in activities/home.sql.
-- Outcomes: ok. No row: there is no such handle, or it is hidden from the viewer by a block.
-- The statement walks along follows_newest_idx, so the page costs the same with any number of followers.
-- Plan "with many followers": {"followed": "user5", "limit": 50}
-- Plan "with many followers, 200 rows": {"followed": "user5", "limit": 200}
with viewer as materialized (
    select * from public.viewer(%(sub)s, %(viewer)s)
),
other as (
    select users.uuid
    from public.users
    cross join viewer
    where folded_handle = public.fold_text(%(followed)s)
        and not public.is_blocked(viewer.uuid, users.uuid)
),
newest as (
    select follow.follower_uuid, follow.created_at
    from other
    cross join lateral (
        select follower_uuid, created_at, followed_uuid
        from public.follows
        where (followed_uuid, created_at, follower_uuid) < (
                other.uuid,
                coalesce('epoch'::timestamptz + %(after_us)s::bigint * interval '1 microsecond', 'infinity'),
                coalesce(%(after_uuid)s::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
            )
            and followed_uuid >= other.uuid
        order by followed_uuid desc, created_at desc, follower_uuid desc
        limit %(limit)s::integer
    ) follow
),
page as (
    select follower.uuid, follower.handle, follower.display_name, newest.created_at as followed_at
    from newest
    cross join viewer
    cross join lateral (select uuid, handle, display_name from public.users where uuid = newest.follower_uuid limit 1) follower
    where not public.hides(viewer.uuid, viewer.has_hidden, newest.follower_uuid)
)
select
    'ok' as outcome,
    coalesce((select json_agg(page order by followed_at desc, uuid desc) from page), '[]') as body,
    (
        select (extract(epoch from last.created_at) * 1000000)::bigint || '/' || last.follower_uuid
        from (
            select created_at, follower_uuid
            from newest
            order by created_at desc, follower_uuid desc
            offset %(limit)s::integer - 1
        ) last
    ) as next_key,
    null as lives_us,
    null as seen
from other
