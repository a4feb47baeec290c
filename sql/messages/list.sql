-- Summary: a page of a conversation
-- Cost: the page, and what of it expired since the last purge or was deleted within the last hour
-- The newest messages of one of the caller's conversations, oldest first, without those that have expired or were deleted. %(group)s: the
-- conversation; null: the one with the user whose handle is %(other)s. If these two have none yet, the list is empty.
-- %(limit)s, %(after_us)s, %(after_uuid)s: as in activities/home.sql; the next page has the older ones. %(since_us)s,
-- %(since_uuid)s: the newest message of an earlier answer: only later ones; null: all. The messages of a conversation become visible
-- in the order of their times (see place_message in schema.sql), so none is missed.
-- Outcomes: ok, not_found (no such conversation or user, or one of others), receiver_is_sender, user_not_found,
-- user_not_registered.
with me as (
    select uuid from public.caller(%(sub)s, %(handle)s)
),
other as (
    select uuid
    from public.users
    where folded_handle = public.fold_text(%(other)s)
        and not exists (select from me where public.is_blocked(me.uuid, users.uuid))
),
conversation as (
    select g.uuid
    from me
    join public.message_groups g on me.uuid in (g.first_user_uuid, g.second_user_uuid)
    where g.uuid = %(group)s::uuid
        and not public.is_blocked(g.first_user_uuid, g.second_user_uuid)
    union all
    select g.uuid
    from me
    cross join other
    join public.message_groups g
        on g.first_user_uuid = least(me.uuid, other.uuid)
        and g.second_user_uuid = greatest(me.uuid, other.uuid)
),
newest as (
    select conversation.uuid as message_group_uuid, m.uuid, coalesce(sender.display_name, 'Deleted user') as display_name, sender.handle, m.message, m.created_at, m.expires_at
    from conversation
    cross join lateral (
        select uuid, user_uuid, message, created_at, expires_at
        from public.messages
        where message_group_uuid = conversation.uuid
            and (created_at, uuid) < (public.page_time(%(after_us)s), public.page_uuid(%(after_uuid)s))
            and (created_at, uuid) > (public.since_time(%(since_us)s), public.since_uuid(%(since_uuid)s))
            and deleted_at is null
            and public.is_live(expires_at)
        order by created_at desc, uuid desc
        limit %(limit)s::integer
    ) m
    left join lateral public.author(m.user_uuid) sender on true
)
select
    case
        when not exists (select from me) then public.missing_caller(%(sub)s)
        when exists (select from other join me on me.uuid = other.uuid) then 'receiver_is_sender'
        when not exists (select from conversation) and not exists (select from other) then 'not_found'
        else 'ok'
    end as outcome,
    coalesce((select json_agg(newest order by created_at, uuid) from newest), '[]') as body,
    (select public.page_key(created_at, uuid) from newest order by created_at desc, uuid desc offset %(limit)s::integer - 1) as next_key,
    null as lives_us,
    coalesce(
        (select public.page_key(created_at, uuid) from newest order by created_at desc, uuid desc limit 1),
        %(since_us)s::bigint || '/' || %(since_uuid)s::uuid,
        '0/00000000-0000-0000-0000-000000000000'
    ) as seen
