-- Summary: a new reply, and its parent's count
-- Cost: its author's activities of the last hour, at most as many as one may make (300)
-- One reply of the caller to an activity; it expires with it and is counted there, once however often it is sent. That one's
-- author and those whom it mentions are told by a trigger.
-- %(parent)s: the activity. %(window_s)s: as in create.sql, for the same text to the same activity. %(uuid)s, %(sub)s, %(handle)s,
-- %(not_after)s, %(most)s: as in create.sql.
-- Outcomes: ok, not_found (no such activity, or it has expired), user_not_found, user_not_registered, generic_403,
-- idempotency_key_reused, activity_deleted, posts_exceed_hourly_max, replies_exceed_max (an activity has 10000 replies at most).
-- The activity is locked first, as in social/like.sql; whoever keeps it for longer meanwhile is waited for.
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
ended as (
    select
    from public.used_keys
    where uuid = %(uuid)s::uuid
    union all
    select
    from public.activities
    where uuid = %(uuid)s::uuid
        and expires_at <= now()
),
parent as (
    select uuid, expires_at, replies_count
    from public.activities
    where uuid = %(parent)s::uuid
        and (expires_at is null or expires_at > now())
        and exists (select from allowed)
    for no key update
),
timely as (
    select *, replies_count < 10000 or exists (select from public.activities where uuid = %(uuid)s::uuid) as has_room
    from parent
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
    insert into public.activities (uuid, user_uuid, message, reply_to_activity_uuid, expires_at)
    select wanted.uuid, wanted.user_uuid, %(message)s, wanted.parent_uuid, wanted.expires_at
    from (
        select
            allowed.uuid as user_uuid,
            timely.uuid as parent_uuid,
            timely.expires_at,
            coalesce(
                case
                    when %(window_s)s::integer > 0
                        then public.recent_twin(allowed.uuid, timely.uuid, %(message)s, null, %(window_s)s::integer, true)
                end,
                %(uuid)s::uuid
            ) as uuid
        from allowed
        cross join timely
        where timely.has_room
    ) wanted
    where (
            not exists (select from full_hour)
            or wanted.uuid <> %(uuid)s::uuid
            or exists (select from public.activities where uuid = %(uuid)s::uuid)
        )
        and not exists (select from ended)
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
        xmax = 0 as is_new
),
counted as (
    update public.activities a
    set replies_count = a.replies_count + 1
    from created
    where created.is_new
        and a.uuid = created.reply_to_activity_uuid
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
        when exists (select from ended) then 'activity_deleted'
        when not exists (select from parent) then 'not_found'
        when not exists (select from timely) then 'late'
        when exists (select from timely where not has_room) then 'replies_exceed_max'
        else coalesce(
            (
                select
                    case
                        when expires_at <= now() then 'activity_deleted'
                        when message <> %(message)s
                            or reply_to_activity_uuid is distinct from %(parent)s::uuid
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
