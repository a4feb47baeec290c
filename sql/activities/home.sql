-- Summary: a page of all top-level activities, newest first
-- Cost: the page, at most 200 rows
-- The feed: top-level activities that have not expired, newest first.
-- %(limit)s: rows, 1 to 200. %(after_us)s, %(after_uuid)s: created_at (microseconds since 1970) and uuid of the row
-- that the page starts behind; null: the first page. %(week4)s: whether each activity contains its replies, for the frontend of
-- week 4, which has no page for one activity.
--
-- As a rule a short walk along activities_home_idx fills the page. It gives up after 1000 rows; then the page is made of the
-- newest of each lifetime, see lifetime_key in schema.sql, between which nothing has expired. So a page costs the same
-- whatever has expired in front of it or behind.
-- Only a full page has a row number %(limit)s, and with it a next_key.
-- seen: the snapshot of the page, see current_view in schema.sql.
-- The limit 1 has authors looked up one by one: no plan reads all users for them.
select
    'ok' as outcome,
    coalesce(search.list, walk.list, '[]') as body,
    public.page_key(coalesce(search.last_created_at, walk.last_created_at), coalesce(search.last_uuid, walk.last_uuid)) as next_key,
    (extract(epoch from nullif(coalesce(search.first_expires_at, walk.first_expires_at), 'infinity') - now()) * 1000000)::bigint
        as lives_us,
    public.current_view() as seen
from (
    select
        json_agg(shown) as list,
        min(shown.created_at) as last_created_at,
        (array_agg(shown.uuid))[%(limit)s::integer] as last_uuid,
        min(shown.expires_at) as first_expires_at
    from (
        select card.*, case when %(week4)s::boolean and a.replies_count > 0 then public.embedded_replies(a.uuid) else '[]' end as replies
        from public.posts_before(%(after_us)s, %(after_uuid)s, 1000) a
        cross join lateral public.author(a.user_uuid) u
        cross join lateral public.card(a, u.display_name, u.handle) card
        where public.is_live(a.expires_at)
        order by a.created_at desc, a.uuid desc
        limit %(limit)s::integer
    ) shown
) walk
left join lateral (
    select
        json_agg(shown) as list,
        min(shown.created_at) as last_created_at,
        (array_agg(shown.uuid))[%(limit)s::integer] as last_uuid,
        min(shown.expires_at) as first_expires_at
    from (
        select card.*, case when %(week4)s::boolean and card.replies_count > 0 then public.embedded_replies(card.uuid) else '[]' end as replies
        from (
            select newest.uuid
            from public.lifetimes() lifetime
            cross join lateral (
                select uuid, created_at
                from public.activities
                where reply_to_activity_uuid is null
                    and public.lifetime_key(created_at, expires_at) > lifetime.since
                    and (public.lifetime_key(created_at, expires_at), uuid) < (
                        coalesce(lifetime.zero + %(after_us)s::bigint, lifetime.until),
                        public.page_uuid(%(after_uuid)s)
                    )
                    and public.is_live(expires_at)
                order by public.lifetime_key(created_at, expires_at) desc, uuid desc
                limit %(limit)s::integer
            ) newest
            order by newest.created_at desc, newest.uuid desc
            limit %(limit)s::integer
        ) found
        cross join lateral public.activity(found.uuid) a
        cross join lateral public.author(a.user_uuid) u
        cross join lateral public.card(a, u.display_name, u.handle) card
        order by a.created_at desc, a.uuid desc
    ) shown
    where walk.last_uuid is null
) search on true
