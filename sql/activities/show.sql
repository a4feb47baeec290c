-- Summary: one activity with a page of its replies, from either end, and the way to the top
-- Cost: the page, and at most 100 activities above
-- One activity that has not expired, a page of its replies, and its ancestors, the top of the thread first.
-- %(uuid)s: the activity, or a notification of a like or a repost, which stands for its activity, or of a follow, which is shown
-- itself. %(handle)s: the handle of the author or of the notification's actor; null: any. No row: there is no such activity, or it
-- has expired. %(newest)s: true: the newest replies first; false: the oldest first.
-- %(limit)s, %(after_us)s, %(after_uuid)s: as in home.sql.
-- %(sub)s, %(viewer)s: the viewer, by the token's subject or by the handle; both null: the request is anonymous. What the viewer did
-- with an activity is in liked and reposted, which are null for an anonymous request.
-- An activity of a user that has blocked the viewer, or that the viewer has blocked, is not there. The replies leave out muted users, too.
-- The nearest 100 ancestors are shown; reply_to_activity_uuid of the first of them leads further up.
with recursive viewer as materialized (
    select * from public.viewer(%(sub)s, %(viewer)s)
),
told as (
    select told.uuid, told.kind, told.activity_uuid, told.created_at, actor.display_name, actor.handle
    from public.notifications told
    cross join lateral public.author(told.actor_uuid) actor
    where told.uuid = %(uuid)s::uuid
        and told.kind in ('like', 'repost', 'follow')
        and (%(handle)s::text is null or public.fold_text(actor.handle) = public.fold_text(%(handle)s))
),
wanted as (
    select %(uuid)s::uuid as uuid, %(handle)s::text as handle
    union all
    select activity_uuid, null
    from told
),
shown as (
    select card.*, marks.*
    from wanted
    cross join viewer
    cross join lateral public.activity(wanted.uuid) a
    cross join lateral public.author(a.user_uuid) u
    cross join lateral public.card(a, u.display_name, u.handle) card
    cross join lateral public.marks(viewer.uuid, viewer.is_asked, a.uuid) marks
    where public.is_live(a.expires_at)
        and not public.is_blocked(viewer.uuid, a.user_uuid)
        and (wanted.handle is null or public.fold_text(u.handle) = public.fold_text(wanted.handle))
    union all
    select
        told.uuid, told.display_name, told.handle, 'follows you', 0, 0, 0, null, null, told.created_at,
        case when viewer.is_asked then false end,
        case when viewer.is_asked then false end
    from told
    cross join viewer
    where told.kind = 'follow'
),
above as (
    select a.uuid, a.reply_to_activity_uuid, 1 as height
    from shown
    cross join lateral public.activity(shown.reply_to_activity_uuid) a
    where public.is_live(a.expires_at)
    union all
    select a.uuid, a.reply_to_activity_uuid, above.height + 1
    from above
    cross join lateral public.activity(above.reply_to_activity_uuid) a
    where above.height < 100
        and public.is_live(a.expires_at)
),
ancestors as (
    select coalesce(json_agg(ancestor.body order by above.height desc), '[]') as list
    from above
    cross join viewer
    cross join lateral public.activity(above.uuid) a
    cross join lateral public.author(a.user_uuid) u
    cross join lateral (
        select row_to_json(shown) as body
        from (
            select card.*, marks.*, '[]'::json as replies
            from public.card(a, u.display_name, u.handle) card
            cross join lateral public.marks(viewer.uuid, viewer.is_asked, a.uuid) marks
        ) shown
    ) ancestor
    where not public.is_blocked(viewer.uuid, a.user_uuid)
),
page as (
    select card.*, marks.*, '[]'::json as replies
    from shown
    cross join viewer
    cross join lateral public.replies(shown.uuid, %(newest)s, %(after_us)s, %(after_uuid)s, %(limit)s, viewer.uuid, viewer.has_hidden) a
    cross join lateral public.author(a.user_uuid) u
    cross join lateral public.card(a, u.display_name, u.handle) card
    cross join lateral public.marks(viewer.uuid, viewer.is_asked, a.uuid) marks
)
select
    'ok' as outcome,
    case
        when shown.reply_to_activity_uuid is null then
            json_build_object('activity', row_to_json(shown), 'replies', listed.replies)
        else
            json_build_object('activity', row_to_json(shown), 'ancestors', (select list from ancestors), 'replies', listed.replies)
    end as body,
    case
        when (select count(*) from page) < %(limit)s::integer then null
        when %(newest)s::boolean then (select public.page_key(created_at, uuid) from page order by created_at, uuid limit 1)
        else (select public.page_key(created_at, uuid) from page order by created_at desc, uuid desc limit 1)
    end as next_key
from shown
cross join (
    select
        case
            when %(newest)s::boolean then coalesce((select json_agg(r order by created_at desc, uuid desc) from page r), '[]')
            else coalesce((select json_agg(r order by created_at, uuid) from page r), '[]')
        end as replies
) listed
