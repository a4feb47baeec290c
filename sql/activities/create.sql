-- One new activity of the user with this handle, and what it looks like in the feed.
-- %(uuid)s is made before the statement is sent. Sent a second time it writes the row once more as it is and does not
-- skip it: only what is written waits for the standby, and so may be acknowledged.
-- %(ttl)s: an interval; the time of expiry is the server's now plus it.
-- Outcomes: ok, user_not_found.
with author as (
    select uuid, display_name, handle
    from public.users
    where lower(handle) = lower(%(handle)s)
),
created as (
    insert into public.activities (uuid, user_uuid, message, expires_at)
    select %(uuid)s::uuid, author.uuid, %(message)s, now() + %(ttl)s::interval
    from author
    on conflict (uuid) do update set uuid = excluded.uuid
    returning
        uuid,
        message,
        replies_count,
        reposts_count,
        likes_count,
        reply_to_activity_uuid,
        expires_at,
        created_at
)
select
    case when made.uuid is null then 'user_not_found' else 'ok' end as outcome,
    row_to_json(made) as body
from (values (1)) always
left join (
    select
        c.uuid,
        author.display_name,
        author.handle,
        c.message,
        c.replies_count,
        c.reposts_count,
        c.likes_count,
        c.reply_to_activity_uuid,
        c.expires_at,
        c.created_at,
        '[]'::json as replies
    from created c
    cross join author
) made on true
