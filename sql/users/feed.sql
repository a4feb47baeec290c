-- Summary: a user's page, and how many unexpired activities there are
-- Cost: the page, and up to 1000 of the user's posts that have expired; the count reads up to 1000
-- A user's page: the user, and the newest activities that have not expired, replies left out. cruds_count: how many of the newest 1000
-- have not expired.
-- %(limit)s, %(after_us)s, %(after_uuid)s: as in activities/home.sql.
-- %(week4)s: whether the body is the activities alone, with their replies in them, as the frontend of week 4 expects.
-- %(sub)s, %(viewer)s: the viewer, by the token's subject or by the handle; both null: the request is anonymous. What the viewer did
-- with an activity is in liked and reposted, which are null for an anonymous request.
-- So is profile.followed: whether the viewer follows the user.
-- No row: there is no such handle, or its user has blocked the viewer. For a user that the viewer has blocked there is only the profile.
-- As in home.sql, a page is made of the first rows (user_walk_rows) behind its position.
with viewer as materialized (
    select * from public.viewer(%(sub)s, %(viewer)s)
),
author as (
    select uuid, handle, display_name
    from public.users
    where folded_handle = public.fold_text(%(handle)s)
        and (select true from viewer where public.is_blocked(viewer.uuid, users.uuid)) is null
),
page as (
    select
        card.*,
        marks.*,
        case when %(week4)s::boolean and a.replies_count > 0 then public.embedded_replies(a.uuid, viewer.uuid, viewer.has_hidden) else '[]' end as replies
    from author
    cross join viewer
    cross join lateral public.user_posts(author.uuid, %(after_us)s, %(after_uuid)s, '-infinity', public.user_walk_rows()) a
    cross join lateral public.card(a, author.display_name, author.handle) card
    cross join lateral public.marks(viewer.uuid, viewer.is_asked, a.uuid) marks
    where public.is_live(a.expires_at)
    order by a.created_at desc, a.uuid desc
    limit %(limit)s::integer
),
activities as (
    select coalesce(json_agg(page order by created_at desc, uuid desc), '[]') as list
    from page
)
select
    'ok' as outcome,
    case
        when %(week4)s::boolean then activities.list
        else json_build_object('profile', row_to_json(profile), 'activities', activities.list)
    end as body,
    coalesce(
        (select public.page_key(created_at, uuid) from page order by created_at desc, uuid desc offset %(limit)s::integer - 1),
        (
            select public.page_key(a.created_at, a.uuid)
            from author
            cross join lateral public.user_posts(author.uuid, %(after_us)s, %(after_uuid)s, '-infinity', public.user_walk_rows()) a
            order by a.created_at desc, a.uuid desc
            offset public.user_walk_rows() - 1
        )
    ) as next_key
from viewer
cross join lateral public.profile(%(handle)s, viewer.uuid, viewer.is_asked) profile
cross join activities
