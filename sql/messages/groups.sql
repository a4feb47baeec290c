-- Summary: a page of the caller's conversations with each one's last message
-- Cost: the page; behind the first one also the newest 500 conversations, and up to 200 messages of each that moved
-- The caller's conversations, the one with the newest message first: the other user, and that message. The handle
-- of a deleted user is null.
-- %(limit)s, %(after_us)s, %(after_uuid)s: as in activities/home.sql, by the time of the newest message. %(view)s: the
-- snapshot of the first page (see current_view in schema.sql), which the cursor contains: all pages are in the order of that
-- snapshot. A conversation that has a newer message since then keeps its position, so it is neither skipped nor shown twice.
-- %(since)s: the snapshot of an earlier answer: only conversations with a newer message since then; null: all.
-- Outcomes: ok, cursor_expired (see activities/since.sql), user_not_found, user_not_registered.
-- Each limit is directly at its table, so that the planner does not fetch and sort all conversations of a user. Conversations with
-- newer messages are looked for among the newest 500.
with me as (
    select uuid
    from public.users
    where cognito_user_id = %(sub)s
        or (%(sub)s is null and folded_handle = public.fold_text(%(handle)s))
),
asked as (
    select
        coalesce('epoch'::timestamptz + %(after_us)s::bigint * interval '1 microsecond', 'infinity') as at,
        coalesce(%(after_uuid)s::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff') as uuid,
        case
            when split_part(%(view)s, '/', 1) = split_part(public.current_view(), '/', 1)
                then split_part(%(view)s, '/', 2)::pg_snapshot
        end as view,
        split_part(%(since)s, '/', 2)::pg_snapshot as seen,
        coalesce(split_part(%(since)s, '/', 1) = split_part(public.current_view(), '/', 1), true) as is_of_this_server
),
unmoved as (
    select g.uuid, g.second_user_uuid as other_uuid, g.last_message_at as position
    from me
    cross join asked
    cross join lateral (
        select uuid, second_user_uuid, last_message_at
        from (
            select uuid, second_user_uuid, last_message_at, moved_by
            from public.message_groups
            where first_user_uuid = me.uuid
                and (last_message_at, uuid) < (asked.at, asked.uuid)
            order by last_message_at desc, uuid desc
            limit 250
        ) walked
        where (asked.view is null or public.was_seen(moved_by, asked.view))
            and (asked.seen is null or not public.was_seen(moved_by, asked.seen))
        order by last_message_at desc, uuid desc
        limit %(limit)s::integer
    ) g
    where asked.is_of_this_server
    union all
    select g.uuid, g.first_user_uuid as other_uuid, g.last_message_at as position
    from me
    cross join asked
    cross join lateral (
        select uuid, first_user_uuid, last_message_at
        from (
            select uuid, first_user_uuid, last_message_at, moved_by
            from public.message_groups
            where second_user_uuid = me.uuid
                and (last_message_at, uuid) < (asked.at, asked.uuid)
            order by last_message_at desc, uuid desc
            limit 250
        ) walked
        where (asked.view is null or public.was_seen(moved_by, asked.view))
            and (asked.seen is null or not public.was_seen(moved_by, asked.seen))
        order by last_message_at desc, uuid desc
        limit %(limit)s::integer
    ) g
    where asked.is_of_this_server
),
moved as (
    select g.uuid, g.second_user_uuid as other_uuid
    from me
    cross join asked
    cross join lateral (
        select uuid, second_user_uuid, moved_by
        from public.message_groups
        where first_user_uuid = me.uuid
            and asked.view is not null
        order by last_message_at desc, uuid desc
        limit 250
    ) g
    where not public.was_seen(g.moved_by, asked.view)
        and (asked.seen is null or not public.was_seen(g.moved_by, asked.seen))
    union all
    select g.uuid, g.first_user_uuid as other_uuid
    from me
    cross join asked
    cross join lateral (
        select uuid, first_user_uuid, moved_by
        from public.message_groups
        where second_user_uuid = me.uuid
            and asked.view is not null
        order by last_message_at desc, uuid desc
        limit 250
    ) g
    where not public.was_seen(g.moved_by, asked.view)
        and (asked.seen is null or not public.was_seen(g.moved_by, asked.seen))
),
mine as (
    select uuid, other_uuid, position from unmoved
    union all
    select moved.uuid, moved.other_uuid, place.created_at
    from moved
    cross join asked
    cross join lateral (
        select created_at
        from (
            select created_at, written_by
            from public.messages
            where message_group_uuid = moved.uuid
            order by created_at desc, uuid desc
            limit 200
        ) walked
        where public.was_seen(written_by, asked.view)
        order by created_at desc
        limit 1
    ) place
    where (place.created_at, moved.uuid) < (asked.at, asked.uuid)
),
page as (
    select
        mine.uuid,
        mine.position,
        coalesce(other.display_name, 'Deleted user') as display_name,
        other.handle,
        last.message,
        last.created_at
    from mine
    left join lateral (select display_name, handle from public.users where uuid = mine.other_uuid limit 1) other on true
    cross join lateral (
        select message, created_at
        from public.messages
        where message_group_uuid = mine.uuid
        order by created_at desc, uuid desc
        limit 1
    ) last
    order by mine.position desc, mine.uuid desc
    limit %(limit)s::integer
)
select
    case
        when not exists (select from me) and %(sub)s is null then 'user_not_found'
        when not exists (select from me) then 'user_not_registered'
        when exists (select from asked where not is_of_this_server) then 'cursor_expired'
        else 'ok'
    end as outcome,
    coalesce(
        (
            select json_agg(shown)
            from (
                select uuid, display_name, handle, message, created_at
                from page
                order by position desc, uuid desc
            ) shown
        ),
        '[]'
    ) as body,
    (
        select
            (extract(epoch from last.position) * 1000000)::bigint || '/' || last.uuid
            || coalesce('/' || case when asked.view is not null then %(view)s else public.current_view() end, '')
        from (
            select position, uuid
            from page
            order by position desc, uuid desc
            offset %(limit)s::integer - 1
        ) last
        cross join asked
    ) as next_key,
    null as lives_us,
    public.current_view() as seen
