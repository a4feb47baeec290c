-- Summary: a new message
-- Cost: its sender's messages of the last hour, at most as many as one may send (600)
-- Creates a message of the caller in an existing conversation, once however often it is sent. The trigger place_message in schema.sql
-- moves the conversation to the top of the list. %(uuid)s, %(sub)s, %(handle)s, %(not_after)s: as in activities/create.sql.
-- %(most)s: how many messages the caller may send within an hour, in all conversations, as in activities/create.sql.
-- %(ttl)s: the interval from the message's time on after which the message expires; null: never.
-- Outcomes: ok, not_found (no such conversation, or one of others), receiver_not_found (the other user was deleted), user_not_found,
-- user_not_registered, user_suspended, generic_403, idempotency_key_reused, messages_exceed_hourly_max, message_deleted (the message with the uuid has
-- expired or was deleted).
with me as (
    select * from public.writer(%(sub)s, %(handle)s)
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
    select g.uuid, g.first_user_uuid is not null and g.second_user_uuid is not null as is_of_two
    from allowed
    join public.message_groups g on allowed.uuid in (g.first_user_uuid, g.second_user_uuid)
    where g.uuid = %(group)s::uuid
        and not public.is_blocked(g.first_user_uuid, g.second_user_uuid)
),
full_hour as (
    select public.retry_after_s('messages', allowed.uuid, %(most)s) as retry_after_s
    from allowed
),
created as (
    insert into public.messages (uuid, message_group_uuid, user_uuid, message, expires_at)
    select %(uuid)s::uuid, conversation.uuid, timely.uuid, %(message)s, now() + %(ttl)s::interval
    from timely
    cross join conversation
    where conversation.is_of_two
        and (
            (select retry_after_s from full_hour) is null
            or exists (select from public.messages where uuid = %(uuid)s::uuid)
        )
        and case when substr(%(uuid)s::uuid::text, 15, 1) = '5' then not public.is_message_key_used(%(uuid)s::uuid) else true end
    on conflict (uuid) do update set uuid = excluded.uuid
    returning uuid, message_group_uuid, message, created_at, expires_at, deleted_at
),
answer as (
    select c.message_group_uuid, c.uuid, me.display_name, me.handle, c.message, c.created_at, c.expires_at
    from created c
    cross join me
)
select
    case
        when not exists (select from me) then public.missing_writer(%(sub)s, %(handle)s)
        when not exists (select from allowed) then 'generic_403'
        when exists (select from allowed) and not exists (select from timely) then 'late'
        when not exists (select from conversation) then 'not_found'
        when exists (select from conversation where not is_of_two) then 'receiver_not_found'
        when (select retry_after_s from full_hour) is not null and not exists (select from created) then
            case
                when substr(%(uuid)s::uuid::text, 15, 1) <> '5' then 'messages_exceed_hourly_max'
                when public.is_message_key_used(%(uuid)s::uuid) then 'message_deleted'
                else 'messages_exceed_hourly_max'
            end
        when not exists (select from created where deleted_at is null and public.is_live(expires_at)) then 'message_deleted'
        when exists (
            select
            from created
            where message <> %(message)s
                or message_group_uuid <> %(group)s::uuid
                or expires_at is distinct from created_at + %(ttl)s::interval
        ) then 'idempotency_key_reused'
        else 'ok'
    end as outcome,
    (select row_to_json(answer) from answer) as body,
    public.clock_us() as clock_us,
    (select retry_after_s from full_hour) as retry_after_s,
    pg_current_xact_id_if_assigned() as xid
