-- Summary: up to which message the caller has read a conversation
-- Cost: nothing
-- Marks the other user's messages in a conversation of the caller's up to %(until_us)s as read, in microseconds since 1970; null: all.
-- Messages that are read stay read. The mark never passes the newest message that this statement sees: a message that becomes visible
-- later has a later created_at (see place_message in schema.sql) and is unread.
-- %(group)s: the conversation. %(sub)s, %(handle)s, %(not_after)s: as in activities/create.sql.
-- Outcomes: ok, not_found (no such conversation, or one of others), user_not_found, user_not_registered, generic_403.
with me as (
    select u.uuid, caller.is_allowed
    from public.caller(%(sub)s, %(handle)s) caller
    join public.users u on u.uuid = caller.uuid
    for no key update of u
),
allowed as (
    select * from me where is_allowed
),
timely as (
    select *
    from allowed
    where public.is_timely(%(not_after)s)
),
conversation as (
    select g.uuid
    from allowed
    join public.message_groups g on allowed.uuid in (g.first_user_uuid, g.second_user_uuid)
    where g.uuid = %(group)s::uuid
        and not public.is_blocked(g.first_user_uuid, g.second_user_uuid)
),
noted as (
    insert into public.conversation_reads (message_group_uuid, user_uuid, read_at)
    select
        conversation.uuid,
        timely.uuid,
        least(
            'epoch'::timestamptz + %(until_us)s::bigint * interval '1 microsecond',
            coalesce(
                (
                    select created_at
                    from public.messages
                    where message_group_uuid = conversation.uuid
                    order by created_at desc, uuid desc
                    limit 1
                ),
                'epoch'
            )
        )
    from timely
    cross join conversation
    on conflict (message_group_uuid, user_uuid) do update set read_at = greatest(conversation_reads.read_at, excluded.read_at)
    returning read_at
)
select
    case
        when not exists (select from me) then public.missing_caller(%(sub)s)
        when not exists (select from allowed) then 'generic_403'
        when exists (select from allowed) and not exists (select from timely) then 'late'
        when not exists (select from conversation) then 'not_found'
        else 'ok'
    end as outcome,
    (select row_to_json(noted) from noted) as body,
    public.clock_us() as clock_us,
    pg_current_xact_id_if_assigned() as xid
