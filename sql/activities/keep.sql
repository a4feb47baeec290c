-- Summary: a later end of one's own
-- Cost: its replies, 50 at most, which move along
-- Keeps a post of the caller's own, and so its replies, until %(ttl)s from now if it would expire before. Up to 50 replies are
-- moved along at once, those of a longer thread by the purge, see settle_replies in schema.sql.
-- %(uuid)s: the post. %(sub)s, %(handle)s, %(ttl)s, %(not_after)s: as in activities/create.sql.
-- Outcomes: ok, not_found (no such activity, or it has expired), not_yours, reply_expires_with_parent, user_not_found,
-- user_not_registered, generic_403.
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
wanted as (
    select uuid, user_uuid, reply_to_activity_uuid
    from public.activities
    where uuid = %(uuid)s::uuid
        and (expires_at is null or expires_at > now())
        and exists (select from allowed)
    for no key update
),
timely as (
    select *
    from wanted
    where clock_timestamp() < 'epoch'::timestamptz + %(not_after)s::bigint * interval '1 microsecond'
),
kept as (
    update public.activities a
    set first_expires_at = coalesce(a.first_expires_at, a.expires_at),
        expires_at = case when a.expires_at is not null then greatest(a.expires_at, now() + %(ttl)s::interval) end
    from allowed, timely
    where a.uuid = timely.uuid
        and a.user_uuid = allowed.uuid
        and a.reply_to_activity_uuid is null
        and (a.expires_at is null or a.expires_at > now())
    returning
        a.uuid,
        a.message,
        a.replies_count,
        a.reposts_count,
        a.likes_count,
        a.reply_to_activity_uuid,
        a.expires_at,
        a.created_at
),
settled as (
    select sum(public.settle_replies(uuid, case when replies_count <= 50 then 50 else 0 end))
    from kept
    where replies_count > 0
),
answer as (
    select
        kept.uuid,
        me.display_name,
        me.handle,
        kept.message,
        kept.replies_count,
        kept.reposts_count,
        kept.likes_count,
        kept.reply_to_activity_uuid,
        kept.expires_at,
        kept.created_at,
        exists (select from public.likes where user_uuid = me.uuid and activity_uuid = kept.uuid) as liked,
        exists (select from public.reposts where user_uuid = me.uuid and activity_uuid = kept.uuid) as reposted,
        '[]'::json as replies
    from kept
    cross join settled
    cross join me
)
select
    case
        when not exists (select from me) and %(sub)s is null then 'user_not_found'
        when not exists (select from me) then 'user_not_registered'
        when not exists (select from allowed) then 'generic_403'
        when exists (select from kept) then 'ok'
        when exists (select from wanted) and not exists (select from timely) then 'late'
        when exists (select from wanted, me where wanted.user_uuid <> me.uuid) then 'not_yours'
        when exists (select from wanted where reply_to_activity_uuid is not null) then 'reply_expires_with_parent'
        else 'not_found'
    end as outcome,
    (select row_to_json(answer) from answer) as body,
    (extract(epoch from clock_timestamp()) * 1000000)::bigint as clock_us
