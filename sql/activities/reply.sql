-- Summary: a new reply, and its parent's count
-- Cost: its author's activities of the last hour, at most as many as one may make (300)
-- Creates a reply of the caller to an activity. The reply expires with the activity and is counted there, once however often the
-- statement is sent. A trigger notifies the activity's author and the users that the reply mentions.
-- %(parent)s: the activity, or a notification of a like or a repost, which stands for its activity. %(window_s)s: as in create.sql, for
-- the same text to the same activity. %(uuid)s, %(sub)s, %(handle)s, %(not_after)s, %(most)s: as in create.sql.
-- Outcomes: ok, not_found (no such activity, it has expired, or a block is between its author and the caller), user_not_found, user_not_registered, user_suspended, generic_403,
-- idempotency_key_reused, activity_deleted, posts_exceed_hourly_max, replies_exceed_max (an activity has 10000 replies at most).
-- The activity is locked first, as in social/mark.sql; this waits for a statement that is keeping the activity for longer.
with me as (
    select * from public.writer(%(sub)s, %(handle)s)
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
target as materialized (
    select coalesce(
        (select activity_uuid from public.notifications where uuid = %(parent)s::uuid and kind in ('like', 'repost', 'follow')),
        %(parent)s::uuid
    ) as uuid
),
parent as (
    select uuid, user_uuid, expires_at, replies_count
    from public.activities
    where uuid = (select uuid from target)
        and (expires_at is null or expires_at > now())
        and exists (select from me where is_allowed and not public.is_blocked(me.uuid, activities.user_uuid))
    for no key update
),
timely as (
    select *, replies_count < 10000 or exists (select from public.activities where uuid = %(uuid)s::uuid) as has_room
    from parent
    where public.is_timely(%(not_after)s)
        -- A suspension or a block may have been committed while the statement waited for the lock.
        and not public.is_suspended_now((select uuid from me))
        and not public.is_blocked_now((select uuid from me), parent.user_uuid)
),
full_hour as (
    select public.retry_after_s('activities', me.uuid, %(most)s) as retry_after_s
    from me
    where me.is_allowed
),
created as (
    insert into public.activities as a (uuid, user_uuid, message, reply_to_activity_uuid, expires_at)
    select wanted.uuid, wanted.user_uuid, %(message)s, wanted.parent_uuid, wanted.expires_at
    from (
        select
            me.uuid as user_uuid,
            timely.uuid as parent_uuid,
            timely.expires_at,
            coalesce(
                case
                    when %(window_s)s::integer > 0
                        then public.recent_twin(me.uuid, timely.uuid, %(message)s, null, %(window_s)s::integer, true)
                end,
                %(uuid)s::uuid
            ) as uuid
        from me
        cross join timely
        where timely.has_room
    ) wanted
    where (
            (select retry_after_s from full_hour) is null
            or wanted.uuid <> %(uuid)s::uuid
            or exists (select from public.activities where uuid = %(uuid)s::uuid)
        )
        and not exists (select from ended)
        and case when substr(%(uuid)s::uuid::text, 15, 1) = '5' then not public.is_key_used(%(uuid)s::uuid) else true end
    on conflict (uuid) do update set uuid = excluded.uuid
    returning a as post, a.xmax = 0 as is_new
),
counted as (
    update public.activities a
    set replies_count = a.replies_count + 1
    from created
    where created.is_new
        and a.uuid = (created.post).reply_to_activity_uuid
),
answer as (
    select
        card.*,
        case when created.is_new then false else public.has_liked(me.uuid, card.uuid) end as liked,
        case when created.is_new then false else public.has_reposted(me.uuid, card.uuid) end as reposted,
        '[]'::json as replies
    from created
    cross join me
    cross join lateral public.card(created.post, me.display_name, me.handle) card
)
select
    case
        when not exists (select from me) then public.missing_writer(%(sub)s, %(handle)s)
        when not exists (select from me where is_allowed) then 'generic_403'
        when exists (select from ended) then 'activity_deleted'
        when not exists (select from parent) then 'not_found'
        when not exists (select from timely) then 'late'
        when exists (select from timely where not has_room) then 'replies_exceed_max'
        else coalesce(
            (
                select
                    case
                        when (post).expires_at <= now() then 'activity_deleted'
                        when (post).message <> %(message)s
                            or (post).reply_to_activity_uuid is distinct from (select uuid from target)
                            then 'idempotency_key_reused'
                        else 'ok'
                    end
                from created
            ),
            case when (select retry_after_s from full_hour) is not null then 'posts_exceed_hourly_max' else 'activity_deleted' end
        )
    end as outcome,
    (select row_to_json(answer) from answer) as body,
    public.clock_us() as clock_us,
    (select retry_after_s from full_hour) as retry_after_s,
    pg_current_xact_id_if_assigned() as xid
