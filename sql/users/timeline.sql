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
with viewer as (
    select (select uuid from public.caller(%(sub)s, %(viewer)s)) as uuid, coalesce(%(sub)s, %(viewer)s) is not null as is_asked
),
author as (
    select uuid, handle, display_name
    from public.users
    where folded_handle = public.fold_text(%(handle)s)
),
asked as (
    select public.page_time(%(after_us)s) as at, public.page_uuid(%(after_uuid)s) as id
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
        select found.created_at as at, found.uuid as id, found.uuid as activity_uuid, false as is_repost
        from author
        cross join lateral public.live_posts(author.uuid, %(after_us)s, %(after_uuid)s, %(limit)s) found
        union all
        select created_at, uuid, uuid, false
        from walked_replies
        where reply_to_activity_uuid is not null
            and public.is_live(expires_at)
        union all
        select r.created_at, r.id, r.activity_uuid, true
        from walked_reposts r
        cross join author
        cross join lateral public.activity(r.activity_uuid) a
        where public.is_live(a.expires_at)
            and a.user_uuid <> author.uuid
    ) event
    cross join edge
    where event.at > edge.at
    order by event.at desc, event.id desc
    limit %(limit)s::integer
),
activities as (
    select coalesce(json_agg(shown.body order by events.at desc, events.id desc), '[]') as list
    from events
    cross join author
    cross join viewer
    cross join lateral public.activity(events.activity_uuid) a
    cross join lateral public.author(a.user_uuid) u
    cross join lateral (
        select row_to_json(shown) as body
        from (
            select
                card.*,
                marks.*,
                case when events.is_repost then json_build_object('handle', author.handle, 'display_name', author.display_name) end
                    as reposted_by,
                case when events.is_repost then events.at end as reposted_at,
                case when %(week4)s::boolean and a.replies_count > 0 then public.embedded_replies(a.uuid) else '[]' end as replies
            from public.card(a, u.display_name, u.handle) card
            cross join lateral public.marks(viewer.uuid, viewer.is_asked, a.uuid) marks
        ) shown
    ) shown
)
select
    'ok' as outcome,
    case
        when %(week4)s::boolean then activities.list
        else json_build_object('profile', row_to_json(profile), 'activities', activities.list)
    end as body,
    coalesce(
        (select public.page_key(at, id) from events order by at desc, id desc offset %(limit)s::integer - 1),
        (
            -- A microsecond earlier where the edge is in that in which the page began: no page leads to itself.
            select
                (extract(epoch from edge.at) * 1000000)::bigint - (edge.at >= asked.at)::integer
                || '/ffffffff-ffff-ffff-ffff-ffffffffffff'
            from edge
            cross join asked
            where edge.at > '-infinity'
        )
    ) as next_key
from viewer
cross join lateral public.profile(%(handle)s, viewer.uuid, viewer.is_asked) profile
cross join activities
