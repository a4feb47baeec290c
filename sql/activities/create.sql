-- Summary: a new activity
-- Cost: its author's activities of the last hour, at most as many as one may make (300)
-- One new activity of the caller, and what it looks like in the feed. Those whom it mentions are told by a trigger.
-- %(uuid)s is made before the statement is sent. Sent a second time it writes the row once more as it is and does not
-- skip it: only what is written waits for the standby, and so may be acknowledged.
-- %(window_s)s: a post of the same caller with the same text and ttl within the last window_s seconds is returned instead of a new
-- one (a double click). 0: no such check, as for a request with an Idempotency-Key, whose uuid has version 5.
-- %(sub)s: the token's subject; null: %(handle)s is believed. %(ttl)s: an interval, from the server's now.
-- %(not_after)s: the time by the server's clock, in microseconds since 1970, when the worker has given this attempt up. Every
-- write has it: it looks at the clock once it holds the lock that it takes first, and when it is too late it writes nothing (the
-- outcome late, which connection.c deals with). clock_us: the server's clock, from which the worker knows it.
-- %(most)s: how many activities the author may make within an hour, posts and replies; 0: any number. Deleted ones count, and so do
-- those that have expired, until they are purged. Requests of one author that run at the same moment do not count each other.
-- What is there already is never refused for this. retry_after_s: after how many seconds there is room, else null.
-- Outcomes: ok, user_not_found, user_not_registered, generic_403 (a handle that isn't the token's user's),
-- idempotency_key_reused (the uuid belongs to another message), posts_exceed_hourly_max, activity_deleted (the activity with the
-- uuid has expired or was deleted).
with me as (
    select uuid, display_name, handle
    from public.users
    where cognito_user_id = %(sub)s
        or (%(sub)s is null and folded_handle = public.fold_text(%(handle)s))
),
allowed as (
    select *
    from me
    where %(sub)s is null or %(handle)s is null or public.fold_text(handle) = public.fold_text(%(handle)s)
),
timely as (
    select *
    from allowed
    where clock_timestamp() < 'epoch'::timestamptz + %(not_after)s::bigint * interval '1 microsecond'
),
full_hour as (
    select greatest(ceil(extract(epoch from nth.created_at + interval '1 hour' - now())), 1)::integer as retry_after_s
    from allowed
    cross join lateral (
        select created_at
        from public.activities
        where user_uuid = allowed.uuid
            and created_at > now() - interval '1 hour'
            and created_at <= now()
        order by created_at desc
        offset greatest(%(most)s::integer - 1, 0)
        limit 1
    ) nth
    where %(most)s::integer > 0
),
created as (
    insert into public.activities (uuid, user_uuid, message, expires_at)
    select wanted.uuid, wanted.user_uuid, %(message)s, now() + %(ttl)s::interval
    from (
        select
            timely.uuid as user_uuid,
            coalesce(
                case
                    when %(window_s)s::integer > 0 then
                        public.recent_twin(
                            timely.uuid,
                            null,
                            %(message)s,
                            %(ttl)s::interval,
                            %(window_s)s::integer,
                            pg_advisory_xact_lock(1668445542, uuid_hash(timely.uuid) # hashtext(%(message)s)) is not null
                        )
                end,
                %(uuid)s::uuid
            ) as uuid
        from timely
    ) wanted
    where (
            not exists (select from full_hour)
            or wanted.uuid <> %(uuid)s::uuid
            or exists (select from public.activities where uuid = %(uuid)s::uuid)
        )
        and case when substr(%(uuid)s::uuid::text, 15, 1) = '5' then not public.is_key_used(%(uuid)s::uuid) else true end
    on conflict (uuid) do update set uuid = excluded.uuid
    returning
        uuid,
        message,
        replies_count,
        reposts_count,
        likes_count,
        reply_to_activity_uuid,
        expires_at,
        created_at,
        first_expires_at,
        xmax = 0 as is_new
),
answer as (
    select
        c.uuid,
        me.display_name,
        me.handle,
        c.message,
        c.replies_count,
        c.reposts_count,
        c.likes_count,
        c.reply_to_activity_uuid,
        c.expires_at,
        c.created_at,
        not c.is_new and exists (select from public.likes where user_uuid = me.uuid and activity_uuid = c.uuid) as liked,
        not c.is_new and exists (select from public.reposts where user_uuid = me.uuid and activity_uuid = c.uuid) as reposted,
        '[]'::json as replies
    from created c
    cross join me
)
select
    case
        when not exists (select from me) then case when %(sub)s is null then 'user_not_found' else 'user_not_registered' end
        when not exists (select from allowed) then 'generic_403'
        when not exists (select from timely) then 'late'
        else coalesce(
            (
                select
                    case
                        when expires_at <= now() then 'activity_deleted'
                        when message <> %(message)s
                            or reply_to_activity_uuid is not null
                            or coalesce(first_expires_at, expires_at) is distinct from created_at + %(ttl)s::interval
                            then 'idempotency_key_reused'
                        else 'ok'
                    end
                from created
            ),
            case when exists (select from full_hour) then 'posts_exceed_hourly_max' else 'activity_deleted' end
        )
    end as outcome,
    (select row_to_json(answer) from answer) as body,
    (extract(epoch from clock_timestamp()) * 1000000)::bigint as clock_us,
    (select retry_after_s from full_hour) as retry_after_s
