-- The newest messages of one conversation of the caller's, oldest first. %(group)s: its uuid, or null: the one with the
-- user whose handle is %(other)s, which is empty while there is none.
-- %(limit)s, %(after_us)s, %(after_uuid)s: as in activities/home.sql; the next page has the older ones.
-- Outcomes: ok, not_found (no such conversation or user, or one of others), user_not_found, user_not_registered.
with me as (
    select uuid
    from public.users
    where cognito_user_id = %(sub)s
        or (%(sub)s is null and folded_handle = public.fold_text(%(handle)s))
),
other as (
    select uuid
    from public.users
    where folded_handle = public.fold_text(%(other)s)
),
conversation as (
    select g.uuid
    from me
    join public.message_groups g on me.uuid in (g.first_user_uuid, g.second_user_uuid)
    where g.uuid = %(group)s::uuid
    union all
    select g.uuid
    from me
    cross join other
    join public.message_groups g
        on g.first_user_uuid = least(me.uuid, other.uuid)
        and g.second_user_uuid = greatest(me.uuid, other.uuid)
),
newest as (
    select m.uuid, sender.display_name, sender.handle, m.message, m.created_at
    from conversation
    cross join lateral (
        select uuid, user_uuid, message, created_at
        from public.messages
        where message_group_uuid = conversation.uuid
            and (created_at, uuid) < (
                coalesce('epoch'::timestamptz + %(after_us)s::bigint * interval '1 microsecond', 'infinity'),
                coalesce(%(after_uuid)s::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
            )
        order by created_at desc, uuid desc
        limit %(limit)s::integer
    ) m
    join public.users sender on sender.uuid = m.user_uuid
)
select
    case
        when not exists (select from me) and %(sub)s is null then 'user_not_found'
        when not exists (select from me) then 'user_not_registered'
        when not exists (select from conversation) and not exists (select from other) then 'not_found'
        else 'ok'
    end as outcome,
    coalesce((select json_agg(newest order by created_at, uuid) from newest), '[]') as body,
    (
        select (extract(epoch from oldest.created_at) * 1000000)::bigint || '/' || oldest.uuid
        from (
            select created_at, uuid
            from newest
            order by created_at desc, uuid desc
            offset %(limit)s::integer - 1
        ) oldest
    ) as next_key
