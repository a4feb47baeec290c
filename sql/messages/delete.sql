-- Summary: a mark on a message of one's own
-- Cost: nothing
-- Marks one of the caller's own messages as deleted: no statement shows it any more, neither to the caller nor to the other user. The
-- row stays for an hour, so that a repeated request gets the same answer, and a message that is sent again is not created again. Then
-- the purge deletes the row.
-- %(group)s: the conversation. %(uuid)s: the message. %(sub)s, %(handle)s, %(not_after)s: as in activities/create.sql.
-- Outcomes: ok, not_found (no such message, it has expired, it is in a conversation of others, or the other user's where one has blocked
-- the other), not_yours (the other user's), user_not_found, user_not_registered, user_suspended.
-- A message that is marked already is written again, because only a transaction that writes waits for the standby.
with me as (
    select uuid from public.writer(%(sub)s, %(handle)s)
),
wanted as (
    select m.uuid, m.user_uuid = me.uuid as is_own
    from me
    join public.message_groups g on me.uuid in (g.first_user_uuid, g.second_user_uuid)
    join public.messages m on m.message_group_uuid = g.uuid
    where g.uuid = %(group)s::uuid
        and m.uuid = %(uuid)s::uuid
        and case when m.deleted_at is not null then m.user_uuid = me.uuid else public.is_live(m.expires_at) end
        and (m.user_uuid = me.uuid or not public.is_blocked(g.first_user_uuid, g.second_user_uuid))
),
held as (
    select m.uuid
    from public.messages m
    where m.uuid = (select uuid from wanted where is_own)
    for no key update
),
timely as (
    select *
    from held
    where public.is_timely(%(not_after)s)
),
gone as (
    update public.messages m
    set deleted_at = coalesce(m.deleted_at, now())
    from timely
    where m.uuid = timely.uuid
    returning m.uuid
)
select
    case
        when not exists (select from me) then public.missing_writer(%(sub)s, %(handle)s)
        when exists (select from gone) then 'ok'
        when exists (select from held) then 'late'
        when exists (select from wanted where is_own is not true) then 'not_yours'
        else 'not_found'
    end as outcome,
    (select row_to_json(gone) from gone) as body,
    public.clock_us() as clock_us,
    pg_current_xact_id_if_assigned() as xid
