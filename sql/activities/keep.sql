-- Summary: a later end of one's own
-- Cost: its replies, 50 at most, which move along
-- Keeps one of the caller's own posts, and its replies with it, until %(ttl)s from now if it would expire before. Up to 50
-- replies are changed at once; the purge changes those of a longer thread, see settle_replies in schema.sql.
-- %(uuid)s: the post. %(sub)s, %(handle)s, %(ttl)s, %(not_after)s: as in activities/create.sql.
-- Outcomes: ok, not_found (no such activity, or it has expired), not_yours, reply_expires_with_parent, user_not_found,
-- user_not_registered, user_suspended, generic_403.
with me as (
    select * from public.writer(%(sub)s, %(handle)s)
),
wanted as (
    select uuid, user_uuid, reply_to_activity_uuid, expires_at
    from public.activities
    where uuid = %(uuid)s::uuid
        and (expires_at is null or expires_at > now())
        and exists (select from me where is_allowed)
    for no key update
),
timely as (
    select *
    from wanted
    where public.is_timely(%(not_after)s)
        and (expires_at is null or expires_at > clock_timestamp()) -- it may have expired during the wait for its lock
),
kept as (
    update public.activities a
    set first_expires_at = coalesce(a.first_expires_at, a.expires_at),
        expires_at = case when a.expires_at is not null then greatest(a.expires_at, now() + %(ttl)s::interval) end
    from me, timely
    where a.uuid = timely.uuid
        and a.user_uuid = me.uuid
        and a.reply_to_activity_uuid is null
        and (a.expires_at is null or a.expires_at > now())
    returning a as post
),
settled as (
    select sum(public.settle((post).uuid, (post).replies_count))
    from kept
    where public.has_replies((post).uuid, (post).replies_count)
),
answer as (
    select card.*, marks.*, '[]'::json as replies
    from kept
    cross join settled
    cross join me
    cross join lateral public.card(kept.post, me.display_name, me.handle) card
    cross join lateral public.marks(me.uuid, true, card.uuid) marks
)
select
    case
        when not exists (select from me) then public.missing_writer(%(sub)s, %(handle)s)
        when not exists (select from me where is_allowed) then 'generic_403'
        when exists (select from kept) then 'ok'
        when exists (select from wanted) and not exists (select from timely) then 'late'
        when exists (select from wanted, me where wanted.user_uuid <> me.uuid) then 'not_yours'
        when exists (select from wanted where reply_to_activity_uuid is not null) then 'reply_expires_with_parent'
        else 'not_found'
    end as outcome,
    (select row_to_json(answer) from answer) as body,
    public.clock_us() as clock_us,
    pg_current_xact_id_if_assigned() as xid
