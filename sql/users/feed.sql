-- Summary: a user's page, and how many unexpired activities there are
-- Cost: the page; the count ends at 1000
-- A user's page: who it is, how many unexpired activities there are (1000 stands for more, too), and the newest of them,
-- replies left out.
-- %(limit)s, %(after_us)s, %(after_uuid)s: as in activities/home.sql.
-- %(week4)s: whether the body is the activities alone, with their replies in them, as the frontend of week 4 wants them.
-- %(sub)s, %(viewer)s: who asks, by the token's subject or by the handle; both null: nobody knows. What that one did with an
-- activity is in liked and reposted, which are null for nobody.
-- So is profile.followed, whether that one follows the user.
-- No row: there is no such handle.
--
-- Both are made of the newest of each lifetime, see lifetime_key in schema.sql: whatever has expired costs nothing.
-- coalesce and (select 1000) are for the planner, as in activities/show.sql.
with me as (
    select uuid
    from public.users
    where cognito_user_id = %(sub)s
        or (%(sub)s is null and folded_handle = public.fold_text(%(viewer)s))
),
author as (
    select uuid, cognito_user_id, handle, display_name, bio
    from public.users
    where folded_handle = public.fold_text(%(handle)s)
),
page as (
    select
        a.uuid,
        author.display_name,
        author.handle,
        a.message,
        a.replies_count,
        a.reposts_count,
        a.likes_count,
        a.reply_to_activity_uuid,
        a.expires_at,
        a.created_at,
        case
            when coalesce(%(sub)s, %(viewer)s) is not null then
                coalesce(
                    (
                        select true
                        from public.likes
                        where user_uuid = (select uuid from me)
                            and activity_uuid = a.uuid
                    ),
                    false
                )
        end as liked,
        case
            when coalesce(%(sub)s, %(viewer)s) is not null then
                coalesce(
                    (
                        select true
                        from public.reposts
                        where user_uuid = (select uuid from me)
                            and activity_uuid = a.uuid
                    ),
                    false
                )
        end as reposted,
        case
            when %(week4)s::boolean and a.replies_count > 0 then public.embedded_replies(a.uuid)
            else '[]'
        end as replies
    from author
    cross join public.lifetimes() lifetime
    cross join lateral (
        select
            uuid,
            message,
            replies_count,
            reposts_count,
            likes_count,
            reply_to_activity_uuid,
            expires_at,
            created_at
        from public.activities
        where user_uuid = author.uuid
            and reply_to_activity_uuid is null
            and public.lifetime_key(created_at, expires_at) > lifetime.since
            and (public.lifetime_key(created_at, expires_at), uuid) < (
                coalesce(lifetime.zero + %(after_us)s::bigint, lifetime.until),
                coalesce(%(after_uuid)s::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
            )
            and coalesce(expires_at > now(), true)
        order by public.lifetime_key(created_at, expires_at) desc, uuid desc
        limit %(limit)s::integer
    ) a
    order by a.created_at desc, a.uuid desc
    limit %(limit)s::integer
),
activities as (
    select coalesce(json_agg(page order by created_at desc, uuid desc), '[]') as list
    from page
),
profile as (
    select
        author.uuid,
        author.cognito_user_id as cognito_user_uuid,
        author.handle,
        author.display_name,
        author.bio,
        (
            select count(*)
            from (
                select
                from public.lifetimes() lifetime
                cross join lateral (
                    select
                    from public.activities
                    where user_uuid = author.uuid
                        and reply_to_activity_uuid is null
                        and public.lifetime_key(created_at, expires_at) > lifetime.since
                        and public.lifetime_key(created_at, expires_at) < lifetime.until
                        and coalesce(expires_at > now(), true)
                    order by public.lifetime_key(created_at, expires_at) desc, uuid desc
                    limit (select 1000)
                ) a
                limit 1000
            ) counted
        ) as cruds_count,
        case
            when coalesce(%(sub)s, %(viewer)s) is not null then
                exists (
                    select
                    from public.follows
                    where follower_uuid = (select uuid from me)
                        and followed_uuid = author.uuid
                )
        end as followed
    from author
)
select
    'ok' as outcome,
    case
        when %(week4)s::boolean then activities.list
        else json_build_object('profile', row_to_json(profile), 'activities', activities.list)
    end as body,
    (
        select (extract(epoch from last.created_at) * 1000000)::bigint || '/' || last.uuid
        from (
            select created_at, uuid
            from page
            order by created_at desc, uuid desc
            offset %(limit)s::integer - 1
        ) last
    ) as next_key
from profile
cross join activities
