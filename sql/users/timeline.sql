-- Summary: a user's page with replies and reposts
-- Cost: the page, and up to 1000 posts, 1000 replies and 1000 reposts of the user that have expired; the count reads up to 1000 posts
-- A user's page with replies and reposts: the profile as in feed.sql, and the newest posts, replies and reposts of the user that have not
-- expired. A repost is the activity with reposted_by and reposted_at, at the time of the repost.
-- %(replies)s, %(reposts)s: whether the page has replies and reposts besides the user's posts. %(week4)s: as in feed.sql.
-- %(limit)s, %(after_us)s, %(after_uuid)s: as in activities/home.sql. %(sub)s, %(viewer)s: as in feed.sql.
-- No row: there is no such handle, or its user has blocked the viewer.
-- Posts, replies and reposts are a walk each, as in home.sql. A walk may end before it has found a page of rows. The page ends where the
-- first such walk ends, and next_key is that position: a page may have fewer rows than %(limit)s and a next page.
with viewer as materialized (
    select * from public.viewer(%(sub)s, %(viewer)s)
),
author as (
    select uuid, handle, display_name
    from public.users
    where folded_handle = public.fold_text(%(handle)s)
        and (select true from viewer where public.is_blocked(viewer.uuid, users.uuid)) is null
),
posts as (
    select a.created_at as at, a.uuid as id, a.uuid as activity_uuid
    from author
    cross join lateral public.user_posts(author.uuid, %(after_us)s, %(after_uuid)s, '-infinity', public.user_walk_rows()) a
    where public.is_live(a.expires_at)
    order by a.created_at desc, a.uuid desc
    limit %(limit)s::integer
),
replies as (
    select a.created_at as at, a.uuid as id, a.uuid as activity_uuid
    from author
    cross join lateral public.user_replies(author.uuid, %(after_us)s, %(after_uuid)s, public.user_walk_rows()) a
    where %(replies)s::boolean
        and public.is_live(a.expires_at)
    order by a.created_at desc, a.uuid desc
    limit %(limit)s::integer
),
-- All reposts of the walk, because reposts of one time are not in order yet.
walked_reposts as materialized (
    select r.at, r.id, r.activity_uuid, public.is_live(a.expires_at) and a.user_uuid <> author.uuid
        and not public.hides(viewer.uuid, viewer.has_hidden, a.user_uuid) as is_shown
    from author
    cross join viewer
    cross join lateral public.user_reposts(author.uuid, %(after_us)s, %(after_uuid)s, '-infinity', public.user_walk_rows()) r
    cross join lateral public.activity(r.activity_uuid) a
    where %(reposts)s::boolean
),
-- All events that are newer than this have been read.
edge as (
    select greatest(
        (
            select a.created_at
            from author
            cross join lateral public.user_posts(author.uuid, %(after_us)s, %(after_uuid)s, '-infinity', public.user_walk_rows()) a
            where (select count(*) from posts) < %(limit)s::integer
            order by a.created_at desc
            offset public.user_walk_rows() - 1
        ),
        (
            select a.created_at
            from author
            cross join lateral public.user_replies(author.uuid, %(after_us)s, %(after_uuid)s, public.user_walk_rows()) a
            where %(replies)s::boolean
                and (select count(*) from replies) < %(limit)s::integer
            order by a.created_at desc
            offset public.user_walk_rows() - 1
        ),
        (select min(at) from walked_reposts having count(*) >= public.user_walk_rows()),
        '-infinity'
    ) as at
),
events as (
    select event.at, event.id, event.activity_uuid, event.is_repost
    from (
        select at, id, activity_uuid, false as is_repost from posts
        union all
        select at, id, activity_uuid, false from replies
        union all
        select at, id, activity_uuid, true from walked_reposts where is_shown
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
                case when %(week4)s::boolean and a.replies_count > 0 then public.embedded_replies(a.uuid, viewer.uuid, viewer.has_hidden) else '[]' end as replies
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
        (select public.edge_key(at, %(after_us)s) from edge)
    ) as next_key
from viewer
cross join lateral public.profile(%(handle)s, viewer.uuid, viewer.is_asked) profile
cross join activities
