-- The feed: top-level activities that have not expired, newest first.
-- %(limit)s: rows, 1 to 200. %(after_us)s, %(after_uuid)s: created_at (microseconds since 1970) and uuid of the row
-- that the page starts behind; null: the first page.
--
-- The inner limit is a constant, so that the plan for any parameters is the one for a short walk along the index; the
-- outer one ends that walk.
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
    '[]'::json as replies
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
        and (expires_at is null or expires_at > now())
        and (created_at, uuid) < (
            coalesce('epoch'::timestamptz + %(after_us)s::bigint * interval '1 microsecond', 'infinity'),
            coalesce(%(after_uuid)s::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
        )
    order by created_at desc, uuid desc
    limit 200
) a
join public.users u on u.uuid = a.user_uuid
order by a.created_at desc, a.uuid desc
limit %(limit)s::integer
