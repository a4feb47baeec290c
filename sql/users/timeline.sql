-- Summary: a user's page with replies and reposts
-- Cost: the page, and up to 1000 replies and 1000 reposts of the user; the count ends at 1000
-- A user's page with replies and reposts: the profile as in feed.sql, and the newest posts, replies and reposts of the user that have not
-- expired. A repost is the activity with reposted_by and reposted_at, at the time of the repost.
-- %(replies)s, %(reposts)s: whether the page has them besides the user's posts. %(week4)s: as in feed.sql.
-- %(limit)s, %(after_us)s, %(after_uuid)s: as in activities/home.sql. %(sub)s, %(viewer)s: as in feed.sql.
-- No row: there is no such handle.
-- Posts are the newest of each lifetime, see lifetime_key in schema.sql. For replies and reposts the statement walks along at most 1000
-- rows of the user each. The page ends where a walk ends, and next_key is that position: a page may have fewer rows than %(limit)s
-- and a next page. (select 1000) is for the planner, as in activities/show.sql.
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
asked as (
    select
        coalesce('epoch'::timestamptz + %(after_us)s::bigint * interval '1 microsecond', 'infinity') as at,
        coalesce(%(after_uuid)s::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff') as id
),
posts as (
    select a.created_at as at, a.uuid as id, a.uuid as activity_uuid
    from author
    cross join asked
    cross join public.lifetimes() lifetime
    cross join lateral (
        select uuid, created_at
        from public.activities
        where user_uuid = author.uuid
            and reply_to_activity_uuid is null
            and public.lifetime_key(created_at, expires_at) > lifetime.since
            and (public.lifetime_key(created_at, expires_at), uuid) < (
                coalesce(lifetime.zero + %(after_us)s::bigint, lifetime.until),
                asked.id
            )
            and coalesce(expires_at > now(), true)
        order by public.lifetime_key(created_at, expires_at) desc, uuid desc
        limit %(limit)s::integer
    ) a
),
walked_replies as (
    select a.*
    from author
    cross join asked
    cross join lateral (
        select uuid, created_at, expires_at, reply_to_activity_uuid
        from public.activities
        where user_uuid = author.uuid
            and %(replies)s::boolean
            and (created_at, uuid) < (asked.at, asked.id)
        order by created_at desc, uuid desc
        limit (select 1000)
    ) a
),
walked_reposts as (
    select r.*
    from author
    cross join asked
    cross join lateral (
        select created_at, activity_uuid, public.event_uuid('repost', user_uuid, activity_uuid) as id
        from public.reposts
        where user_uuid = author.uuid
            and %(reposts)s::boolean
            and (user_uuid, created_at) <= (author.uuid, asked.at)
        order by user_uuid desc, created_at desc
        fetch first 1000 rows with ties
    ) r
    where (r.created_at, r.id) < (asked.at, asked.id)
),
-- All replies and reposts that are newer than this have been read.
edge as (
    select greatest(
        (select created_at from walked_replies order by created_at desc offset 999 limit 1),
        (select created_at from walked_reposts order by created_at desc offset 999 limit 1),
        '-infinity'
    ) as at
),
events as (
    select event.at, event.id, event.activity_uuid, event.is_repost
    from (
        select at, id, activity_uuid, false as is_repost
        from posts
        union all
        select created_at, uuid, uuid, false
        from walked_replies
        where reply_to_activity_uuid is not null
            and coalesce(expires_at > now(), true)
        union all
        select r.created_at, r.id, r.activity_uuid, true
        from walked_reposts r
        cross join author
        cross join lateral (select user_uuid, expires_at from public.activities where uuid = r.activity_uuid limit 1) a
        where coalesce(a.expires_at > now(), true)
            and (a.user_uuid <> author.uuid)
    ) event
    cross join edge
    where event.at > edge.at
    order by event.at desc, event.id desc
    limit %(limit)s::integer
),
page as (
    select
        events.at,
        events.id,
        (
            select row_to_json(shown)
            from (
                select
                    a.uuid,
                    poster.display_name,
                    poster.handle,
                    a.message,
                    a.replies_count,
                    a.reposts_count,
                    a.likes_count,
                    a.reply_to_activity_uuid,
                    a.expires_at,
                    a.created_at,
                    case
                        when %(sub)s is not null or %(viewer)s is not null then
                            coalesce(
                                (select true from public.likes where user_uuid = (select uuid from me) and activity_uuid = a.uuid),
                                false
                            )
                    end as liked,
                    case
                        when %(sub)s is not null or %(viewer)s is not null then
                            coalesce(
                                (select true from public.reposts where user_uuid = (select uuid from me) and activity_uuid = a.uuid),
                                false
                            )
                    end as reposted,
                    (
                        select row_to_json(reposter)
                        from (select author.handle, author.display_name where events.is_repost) reposter
                    ) as reposted_by,
                    case when events.is_repost then events.at end as reposted_at,
                    case
                        when %(week4)s::boolean and a.replies_count > 0 then public.embedded_replies(a.uuid)
                        else '[]'
                    end as replies
            ) shown
        ) as body
    from events
    cross join author
    cross join lateral (
        select uuid, user_uuid, message, replies_count, reposts_count, likes_count, reply_to_activity_uuid, expires_at, created_at
        from public.activities
        where uuid = events.activity_uuid
        limit 1
    ) a
    cross join lateral (select display_name, handle from public.users where uuid = a.user_uuid limit 1) poster
),
activities as (
    select coalesce(json_agg(body order by at desc, id desc), '[]') as list
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
    coalesce(
        (
            select (extract(epoch from at) * 1000000)::bigint || '/' || id
            from page
            order by at desc, id desc
            offset %(limit)s::integer - 1
        ),
        (
            select
                (extract(epoch from edge.at) * 1000000)::bigint - (edge.at >= asked.at)::integer
                || '/ffffffff-ffff-ffff-ffff-ffffffffffff'
            from edge
            cross join asked
            where edge.at > '-infinity'
        )
    ) as next_key
from profile
cross join activities
