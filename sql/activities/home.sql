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
    (extract(epoch from coalesce(search.last_created_at, walk.last_created_at)) * 1000000)::bigint
    || '/' || coalesce(search.last_uuid, walk.last_uuid) as next_key,
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
        select
            a.uuid,
            u.display_name,
            u.handle,
            a.message,
            a.replies_count,
            a.reposts_count,
            a.likes_count,
            a.reply_to_activity_uuid,
            a.expires_at,
            a.created_at,
            case
                when %(week4)s::boolean and a.replies_count > 0 then public.embedded_replies(a.uuid)
                else '[]'
            end as replies
        from (
            select
                uuid,
                user_uuid,
                message,
                replies_count,
                reposts_count,
                likes_count,
                reply_to_activity_uuid,
                expires_at,
                created_at
            from public.activities
            where reply_to_activity_uuid is null
                and (created_at, uuid) < (
                    coalesce('epoch'::timestamptz + %(after_us)s::bigint * interval '1 microsecond', 'infinity'),
                    coalesce(%(after_uuid)s::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
                )
            order by created_at desc, uuid desc
            limit 1000
        ) a
        cross join lateral (select display_name, handle from public.users where uuid = a.user_uuid limit 1) u
        where a.expires_at is null or a.expires_at > now()
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
        select
            a.uuid,
            u.display_name,
            u.handle,
            a.message,
            a.replies_count,
            a.reposts_count,
            a.likes_count,
            a.reply_to_activity_uuid,
            a.expires_at,
            a.created_at,
            case
                when %(week4)s::boolean and a.replies_count > 0 then public.embedded_replies(a.uuid)
                else '[]'
            end as replies
        from (
            select newest.*
            from public.lifetimes() lifetime
            cross join lateral (
                select
                    uuid,
                    user_uuid,
                    message,
                    replies_count,
                    reposts_count,
                    likes_count,
                    reply_to_activity_uuid,
                    expires_at,
                    created_at
                from public.activities
                where reply_to_activity_uuid is null
                    and public.lifetime_key(created_at, expires_at) > lifetime.since
                    and (public.lifetime_key(created_at, expires_at), uuid) < (
                        coalesce(lifetime.zero + %(after_us)s::bigint, lifetime.until),
                        coalesce(%(after_uuid)s::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
                    )
                    and coalesce(expires_at > now(), true)
                order by public.lifetime_key(created_at, expires_at) desc, uuid desc
                limit %(limit)s::integer
            ) newest
            order by newest.created_at desc, newest.uuid desc
            limit %(limit)s::integer
        ) a
        cross join lateral (select display_name, handle from public.users where uuid = a.user_uuid limit 1) u
        order by a.created_at desc, a.uuid desc
    ) shown
    where walk.last_uuid is null
) search on true
