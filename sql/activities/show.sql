-- One activity that has not expired, and its replies, oldest first, at most 200.
-- %(handle)s: its author's, or null for anyone's. No row: there is none, or it has expired.
select
    row_to_json(shown) as activity,
    coalesce(
        (
            select json_agg(reply)
            from (
                select
                    r.uuid,
                    ru.display_name,
                    ru.handle,
                    r.message,
                    r.replies_count,
                    r.reposts_count,
                    r.likes_count,
                    r.reply_to_activity_uuid,
                    r.expires_at,
                    r.created_at,
                    '[]'::json as replies
                from public.activities r
                join public.users ru on ru.uuid = r.user_uuid
                where r.reply_to_activity_uuid = shown.uuid
                    and (r.expires_at is null or r.expires_at > now())
                order by r.created_at, r.uuid
                limit 200
            ) reply
        ),
        '[]'
    ) as replies
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
        a.created_at
    from public.activities a
    join public.users u on u.uuid = a.user_uuid
    where a.uuid = %(uuid)s::uuid
        and (%(handle)s::text is null or lower(u.handle) = lower(%(handle)s))
        and (a.expires_at is null or a.expires_at > now())
) shown
