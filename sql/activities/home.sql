-- Summary: a page of all top-level activities, newest first
-- Cost: the page, and up to 5000 rows that have expired and are not purged
-- The feed: top-level activities that have not expired, newest first.
-- %(limit)s: rows, 1 to 200. %(after_us)s, %(after_uuid)s: created_at (microseconds since 1970) and uuid of the row
-- that the page starts behind; null: the first page. %(week4)s: whether each activity contains its replies, for the frontend of
-- week 4, which has no page for one activity.
--
-- A page is made of the first rows (walk_rows in schema.sql) behind that position, without those that have expired, so its cost is
-- bounded whatever the purge has left. If this walk ends before the page is full, the page has a next_key, however short it is.
-- seen: the snapshot of the page, see current_view in schema.sql. visibility: see the table of that name there.
-- %(sub)s, %(viewer)s: the viewer, as in activities/show.sql; both null: the page of all anonymous requests. Users that the viewer has
-- blocked or muted, and those that have blocked the viewer, are left out.
select
    'ok' as outcome,
    coalesce(page.list, '[]') as body,
    case
        when page.last_uuid is not null then public.page_key(page.last_created_at, page.last_uuid)
        else (
            select public.page_key(created_at, uuid)
            from public.posts_before(%(after_us)s, %(after_uuid)s, public.walk_rows())
            order by created_at desc, uuid desc
            offset public.walk_rows() - 1
        )
    end as next_key,
    (extract(epoch from nullif(page.first_expires_at, 'infinity') - now()) * 1000000)::bigint as lives_us,
    public.current_view() as seen,
    null as clock_us,
    (select version from public.visibility) as visibility
from public.viewer(%(sub)s, %(viewer)s) viewer
cross join lateral (
    select
        json_agg(shown) as list,
        min(shown.created_at) as last_created_at,
        (array_agg(shown.uuid))[%(limit)s::integer] as last_uuid,
        min(shown.expires_at) as first_expires_at
    from (
        select card.*, case when %(week4)s::boolean and a.replies_count > 0 then public.embedded_replies(a.uuid, viewer.uuid, viewer.has_hidden) else '[]' end as replies
        from public.posts_before(%(after_us)s, %(after_uuid)s, public.walk_rows()) a
        cross join lateral public.author(a.user_uuid) u
        cross join lateral public.card(a, u.display_name, u.handle) card
        where public.is_live(a.expires_at)
            and not public.hides(viewer.uuid, viewer.has_hidden, a.user_uuid)
        order by a.created_at desc, a.uuid desc
        limit %(limit)s::integer
    ) shown
) page
