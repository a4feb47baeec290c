-- Summary: a new message to a user, and the conversation if there is none
-- Cost: its sender's messages of the last hour, at most as many as one may send (600)
-- Creates a message of the caller to the user with the handle %(other)s, in the conversation of the two, and first the
-- conversation if there is none. A repeated or refused request changes nothing. %(group)s: the uuid for a new conversation;
-- %(uuid)s, %(sub)s, %(handle)s, %(not_after)s: as in activities/create.sql. %(most)s, %(ttl)s: as in append.sql.
-- Outcomes: ok, receiver_not_found (no such user), receiver_is_sender, user_not_found, user_not_registered, user_suspended, generic_403,
-- idempotency_key_reused, messages_exceed_hourly_max, message_deleted.
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
other as (
    select uuid
    from public.users
    where folded_handle = public.fold_text(%(other)s)
        and not exists (select from me where public.is_blocked(me.uuid, users.uuid))
),
pair as (
    select least(timely.uuid, other.uuid) as first_user_uuid, greatest(timely.uuid, other.uuid) as second_user_uuid
    from timely
    cross join other
    where timely.uuid <> other.uuid
),
earlier as (
    select m.message, m.created_at, m.expires_at, m.deleted_at, g.first_user_uuid, g.second_user_uuid
    from public.messages m
    join public.message_groups g on g.uuid = m.message_group_uuid
    where m.uuid = %(uuid)s::uuid
),
contradiction as (
    select
    from earlier
    cross join pair
    where earlier.message <> %(message)s
        or earlier.expires_at is distinct from earlier.created_at + %(ttl)s::interval
        or earlier.first_user_uuid <> pair.first_user_uuid
        or earlier.second_user_uuid <> pair.second_user_uuid
),
full_hour as (
    select public.retry_after_s('messages', allowed.uuid, %(most)s) as retry_after_s
    from allowed
),
new_key as (
    select case when substr(%(uuid)s::uuid::text, 15, 1) = '5' then not public.is_message_key_used(%(uuid)s::uuid) else true end as is_it
    from pair
),
conversation as (
    insert into public.message_groups (uuid, first_user_uuid, second_user_uuid)
    select %(group)s::uuid, pair.first_user_uuid, pair.second_user_uuid
    from pair
    cross join new_key
    where new_key.is_it
        and not exists (select from contradiction)
        and ((select retry_after_s from full_hour) is null or exists (select from earlier))
    on conflict (first_user_uuid, second_user_uuid) do update set last_message_at = message_groups.last_message_at
    returning uuid
),
created as (
    insert into public.messages (uuid, message_group_uuid, user_uuid, message, expires_at)
    select %(uuid)s::uuid, conversation.uuid, timely.uuid, %(message)s, now() + %(ttl)s::interval
    from timely
    cross join conversation
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
        when not exists (select from other) then 'receiver_not_found'
        when not exists (select from pair) then 'receiver_is_sender'
        when exists (select from earlier where deleted_at is not null or not public.is_live(expires_at)) then 'message_deleted'
        when exists (select from contradiction) then 'idempotency_key_reused'
        when exists (select from new_key where not is_it) then 'message_deleted'
        when (select retry_after_s from full_hour) is not null and not exists (select from created) then 'messages_exceed_hourly_max'
        when not exists (select from created where deleted_at is null and public.is_live(expires_at)) then 'message_deleted'
        when exists (
            select
            from created
            cross join conversation
            where created.message <> %(message)s
                or created.expires_at is distinct from created.created_at + %(ttl)s::interval
                or created.message_group_uuid <> conversation.uuid
        ) then 'idempotency_key_reused'
        else 'ok'
    end as outcome,
    (select row_to_json(answer) from answer) as body,
    public.clock_us() as clock_us,
    (select retry_after_s from full_hour) as retry_after_s,
    pg_current_xact_id_if_assigned() as xid
