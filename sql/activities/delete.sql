-- Summary: a mark on one's own, and its parent's count
-- Cost: its replies, 50 at most, which go too
-- Marks one of the caller's own activities as deleted; a reply is subtracted from its parent's count. deleted_at is the time of this;
-- expires_at becomes -infinity, so that no statement shows the activity any more. The row stays for a day, so that a repeated request
-- gets the same answer, and a repeated create does not create the activity again. Then the purge deletes the row, with everything that
-- others did with it.
-- Up to 50 replies, and replies to these, are marked at once. A longer thread is left to the purge (see settle_replies in schema.sql),
-- so that neither a delete nor a repeated one costs more if others have replied more.
-- Outcomes: ok, not_found, not_yours, user_not_found, user_not_registered, user_suspended.
-- Activities are locked from the top of the thread downwards, as everywhere: a parent before its replies. An activity that is marked
-- already is written again, because only a transaction that writes waits for the standby.
with me as (
    select uuid from public.writer(%(sub)s, %(handle)s)
),
wanted as (
    select uuid, user_uuid, reply_to_activity_uuid
    from public.activities
    where uuid = %(uuid)s::uuid
        and (expires_at is null or expires_at > now() or deleted_at is not null)
),
parent as (
    select uuid
    from public.activities
    where uuid = (
        select wanted.reply_to_activity_uuid
        from wanted
        join me on me.uuid = wanted.user_uuid
    )
    for no key update
),
held as (
    select a.uuid, a.reply_to_activity_uuid, a.deleted_at, a.hidden_expires_at
    from public.activities a, me, wanted
    where a.uuid = wanted.uuid
        and a.user_uuid = me.uuid
        and (wanted.reply_to_activity_uuid is null or exists (select from parent))
    for no key update of a
),
timely as (
    select *
    from held
    where public.is_timely(%(not_after)s)
),
gone as (
    update public.activities a
    set deleted_at = coalesce(a.deleted_at, now()), expires_at = '-infinity'
    from timely
    where a.uuid = timely.uuid
    returning a.uuid, a.replies_count
),
settled as (
    select sum(public.settle(uuid, replies_count))
    from gone
    where public.has_replies(uuid, replies_count)
),
counted as (
    update public.activities a
    set replies_count = a.replies_count - 1
    from timely
    where timely.deleted_at is null
        and timely.hidden_expires_at is null -- not null: a suspension came first, and has subtracted the reply
        and a.uuid = timely.reply_to_activity_uuid
        and a.replies_count > 0
)
select
    case
        when not exists (select from me) then public.missing_writer(%(sub)s, %(handle)s)
        when exists (select from gone cross join settled) then 'ok'
        when exists (select from held) then 'late'
        when exists (select from wanted, me where wanted.user_uuid <> me.uuid) then 'not_yours'
        else 'not_found'
    end as outcome,
    (select row_to_json(answer) from (select uuid from gone) answer) as body,
    public.clock_us() as clock_us,
    pg_current_xact_id_if_assigned() as xid
