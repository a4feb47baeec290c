-- The caller's conversations, the one with the newest message first: who the other is, and that message.
-- %(limit)s, %(after_us)s, %(after_uuid)s: as in activities/home.sql, by the time of the newest message.
-- Outcomes: ok, user_not_found, user_not_registered.
-- Each limit stands right at its table, so that the planner doesn't fetch and sort all conversations of a user.
with me as (
    select uuid
    from public.users
    where cognito_user_id = %(sub)s
        or (%(sub)s is null and folded_handle = public.fold_text(%(handle)s))
),
start as (
    select
        coalesce('epoch'::timestamptz + %(after_us)s::bigint * interval '1 microsecond', 'infinity') as at,
        coalesce(%(after_uuid)s::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff') as uuid
),
mine as (
    select g.uuid, g.second_user_uuid as other_uuid, g.last_message_at
    from me
    cross join start
    cross join lateral (
        select uuid, second_user_uuid, last_message_at
        from public.message_groups
        where first_user_uuid = me.uuid
            and (last_message_at, uuid) < (start.at, start.uuid)
        order by last_message_at desc, uuid desc
        limit %(limit)s::integer
    ) g
    union all
    select g.uuid, g.first_user_uuid, g.last_message_at
    from me
    cross join start
    cross join lateral (
        select uuid, first_user_uuid, last_message_at
        from public.message_groups
        where second_user_uuid = me.uuid
            and (last_message_at, uuid) < (start.at, start.uuid)
        order by last_message_at desc, uuid desc
        limit %(limit)s::integer
    ) g
),
page as (
    select mine.uuid, mine.last_message_at, other.display_name, other.handle, last.message, last.created_at
    from mine
    cross join lateral (select display_name, handle from public.users where uuid = mine.other_uuid limit 1) other
    cross join lateral (
        select message, created_at
        from public.messages
        where message_group_uuid = mine.uuid
        order by created_at desc, uuid desc
        limit 1
    ) last
    order by mine.last_message_at desc, mine.uuid desc
    limit %(limit)s::integer
)
select
    case
        when exists (select from me) then 'ok'
        when %(sub)s is null then 'user_not_found'
        else 'user_not_registered'
    end as outcome,
    coalesce(
        (
            select json_agg(shown)
            from (
                select uuid, display_name, handle, message, created_at
                from page
                order by last_message_at desc, uuid desc
            ) shown
        ),
        '[]'
    ) as body,
    (
        select (extract(epoch from last.last_message_at) * 1000000)::bigint || '/' || last.uuid
        from (
            select last_message_at, uuid
            from page
            order by last_message_at desc, uuid desc
            offset %(limit)s::integer - 1
        ) last
    ) as next_key
