-- Summary: ten users that the caller does not follow
-- Cost: what is looked at, at most 50 × 20 follows, 500 activities and 100 users
-- Ten users that the caller does not follow yet: first those that most of the caller's followed users follow (of these the first 50
-- are read, and the first 20 follows of each), then the users that posted last, then the newest.
-- %(sub)s, %(viewer)s: the viewer, as in activities/show.sql. Users that are hidden from the viewer are left out. So are suspended
-- users, even from the ten, which may then be fewer.
-- The limits of 1 and the order of follows are for the planner: no plan reads all users, or, for a caller that follows no user, all
-- follows.
with me as materialized (
    select uuid from public.caller(%(sub)s, %(viewer)s) limit 1
),
near as materialized (
    select theirs.followed_uuid as uuid, count(*) as followers
    from (
        select followed_uuid
        from public.follows
        where follower_uuid = (select uuid from me)
        order by followed_uuid
        limit 50
    ) mine
    cross join lateral (
        select followed_uuid
        from public.follows
        where follower_uuid = mine.followed_uuid
        order by followed_uuid
        limit 20
    ) theirs
    where not exists (select from me where me.uuid = theirs.followed_uuid)
        and not exists (
            select
            from public.follows
            where follower_uuid = (select uuid from me)
                and followed_uuid = theirs.followed_uuid
        )
    group by theirs.followed_uuid
    order by followers desc, uuid
    limit 10
),
posted as materialized (
    select user_uuid as uuid, max(created_at) as at
    from (
        select user_uuid, created_at, expires_at
        from public.activities
        order by created_at desc, uuid desc
        limit 500
    ) newest
    where expires_at is null or expires_at > now()
    group by user_uuid
),
came as materialized (
    select uuid, created_at
    from public.users
    where suspended_at is null
    order by created_at desc
    limit 100
),
chosen as (
    select uuid, min(place) as place, max(followers) as followers, max(at) as at
    from (
        select uuid, 1 as place, followers, null::timestamptz as at from near
        union all
        select uuid, 2, null, at from posted
        union all
        select uuid, 3, null, created_at from came
    ) offered
    where not exists (select from me where me.uuid = offered.uuid)
        and not exists (
            select
            from public.follows
            where follower_uuid = (select uuid from me)
                and followed_uuid = offered.uuid
        )
        and (select true from public.blocks where user_uuid = (select uuid from me) and blocked_uuid = offered.uuid) is null
        and (select true from public.blocks where user_uuid = offered.uuid and blocked_uuid = (select uuid from me)) is null
        and (select true from public.mutes where user_uuid = (select uuid from me) and muted_uuid = offered.uuid) is null
    group by uuid
    order by place, followers desc, at desc, uuid
    limit 10
)
select u.uuid, u.handle, u.display_name
from chosen
cross join lateral (select uuid, handle, display_name from public.users where uuid = chosen.uuid and suspended_at is null limit 1) u
order by chosen.place, chosen.followers desc, chosen.at desc, u.uuid
