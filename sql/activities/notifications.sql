-- What others did that concerns the caller: the unexpired replies to the caller's activities, newest first.
-- %(limit)s, %(after_us)s, %(after_uuid)s: as in activities/home.sql.
-- Outcomes: ok, user_not_found, user_not_registered.
--
-- One short walk along activities_replies_idx for each of the caller's own unexpired activities, which are found as in
-- users/feed.sql: what it costs grows with their number, and not with what others write. The walk is written as in
-- activities/show.sql.
with me as (
    select uuid
    from public.users
    where cognito_user_id = %(sub)s
        or (%(sub)s is null and lower(handle) = lower(%(handle)s))
),
newest as (
    select reply.*
    from me
    cross join (values (true), (false)) kind (is_post)
    cross join public.lifetimes() lifetime
    cross join lateral (
        select uuid
        from public.activities
        where user_uuid = me.uuid
            and (reply_to_activity_uuid is null) = kind.is_post
            and public.lifetime_key(created_at, expires_at) > lifetime.since
            and public.lifetime_key(created_at, expires_at) < lifetime.until
            and coalesce(expires_at > now(), true)
        offset 0 -- looked at for each lifetime, and not once for all of them
    ) mine
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
        where reply_to_activity_uuid >= mine.uuid
            and (reply_to_activity_uuid, created_at, uuid) < (
                mine.uuid,
                coalesce('epoch'::timestamptz + %(after_us)s::bigint * interval '1 microsecond', 'infinity'),
                coalesce(%(after_uuid)s::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
            )
            and user_uuid <> me.uuid
            and (expires_at is null or expires_at > now())
        order by reply_to_activity_uuid desc, created_at desc, uuid desc
        limit %(limit)s::integer
    ) reply
    order by reply.created_at desc, reply.uuid desc
    limit 200 -- a constant, as in activities/home.sql: few enough to look their authors up one by one
),
page as (
    select
        newest.uuid,
        author.display_name,
        author.handle,
        newest.message,
        newest.replies_count,
        newest.reposts_count,
        newest.likes_count,
        newest.reply_to_activity_uuid,
        newest.expires_at,
        newest.created_at,
        '[]'::json as replies
    from newest
    join public.users author on author.uuid = newest.user_uuid
    order by newest.created_at desc, newest.uuid desc
    limit %(limit)s::integer
)
select
    case
        when exists (select from me) then 'ok'
        when %(sub)s is null then 'user_not_found'
        else 'user_not_registered'
    end as outcome,
    coalesce((select json_agg(page order by created_at desc, uuid desc) from page), '[]') as body,
    (
        select (extract(epoch from last.created_at) * 1000000)::bigint || '/' || last.uuid
        from (
            select created_at, uuid
            from page
            order by created_at desc, uuid desc
            offset %(limit)s::integer - 1
        ) last
    ) as next_key
