-- Summary: a page of the caller's conversations with each one's last message
-- Cost: the page, with up to ten unread messages of each; behind the first one also the newest 500 conversations, and up to 200 messages of each that moved
-- The caller's conversations, the one with the newest message first: the other user, the newest message that is left, and unread: how
-- many of the other's messages the caller has not read, see read.sql; 10 stands for more, too. The handle of a deleted user is null, and
-- a deleted user's messages are never unread. A conversation keeps its position when its newest message is deleted or expires; without any
-- message it is not listed, so a page may have fewer rows than %(limit)s and a next page.
-- %(limit)s, %(after_us)s, %(after_uuid)s: as in activities/home.sql, by the time of the newest message. %(view)s: the
-- snapshot of the first page (see current_view in schema.sql), which the cursor contains: all pages are in the order of that
-- snapshot. A conversation that has a newer message since then keeps its position, so it is neither skipped nor shown twice.
-- %(since)s: the snapshot of an earlier answer: only conversations with a newer message since then; null: all.
-- Outcomes: ok, cursor_expired (see activities/since.sql), user_not_found, user_not_registered.
with me as (
    select uuid from public.caller(%(sub)s, %(handle)s)
),
asked as (
    select
        public.page_time(%(after_us)s) as at,
        public.page_uuid(%(after_uuid)s) as uuid,
        'infinity'::timestamptz as latest, -- as a column, it is not a constant for the planner
        public.snapshot_of(%(view)s) as view,
        public.snapshot_of(%(since)s) as seen
    where %(since)s::text is null or public.snapshot_of(%(since)s) is not null
),
unmoved as (
    select walked.uuid, walked.other_uuid, walked.last_message_at as position
    from me
    cross join asked
    cross join lateral public.conversations(me.uuid, asked.at, asked.uuid) walked
    where (asked.view is null or public.was_seen(walked.moved_by, asked.view))
        and (asked.seen is null or not public.was_seen(walked.moved_by, asked.seen))
    order by walked.last_message_at desc, walked.uuid desc
    limit %(limit)s::integer
),
moved as (
    select walked.uuid, walked.other_uuid, place.created_at as position
    from me
    cross join asked
    cross join lateral public.conversations(me.uuid, asked.latest, public.page_uuid(null)) walked
    cross join lateral (
        select max(newest.created_at) as created_at
        from (
            select created_at, written_by
            from public.messages
            where message_group_uuid = walked.uuid
            order by created_at desc, uuid desc
            limit 200
        ) newest
        where public.was_seen(newest.written_by, asked.view)
    ) place
    where asked.view is not null
        and not public.was_seen(walked.moved_by, asked.view)
        and (asked.seen is null or not public.was_seen(walked.moved_by, asked.seen))
        and (place.created_at, walked.uuid) < (asked.at, asked.uuid)
),
chosen as (
    select *
    from (select * from unmoved union all select * from moved) mine
    order by position desc, uuid desc
    limit %(limit)s::integer
),
page as (
    select
        mine.uuid,
        mine.position,
        coalesce(other.display_name, 'Deleted user') as display_name,
        other.handle,
        last.message,
        last.created_at,
        new.unread
    from chosen mine
    cross join me
    left join lateral public.author(mine.other_uuid) other on true
    cross join lateral (
        select message, created_at
        from public.messages
        where message_group_uuid = mine.uuid
            and deleted_at is null
            and public.is_live(expires_at)
        order by created_at desc, uuid desc
        limit 1
    ) last
    cross join lateral (
        select count(*) as unread
        from (
            select
            from public.messages
            where user_uuid = mine.other_uuid
                and message_group_uuid = mine.uuid
                and created_at > coalesce(
                    (select read_at from public.conversation_reads where message_group_uuid = mine.uuid and user_uuid = me.uuid), '-infinity'
                )
                and deleted_at is null
                and public.is_live(expires_at)
            order by created_at
            limit (select 10)
        ) counted
    ) new
)
select
    case
        when not exists (select from me) then public.missing_caller(%(sub)s)
        when not exists (select from asked) then 'cursor_expired'
        else 'ok'
    end as outcome,
    coalesce(
        (
            select json_agg(shown)
            from (select uuid, display_name, handle, message, created_at, unread from page order by position desc, uuid desc) shown
        ),
        '[]'
    ) as body,
    (
        select public.page_key(position, uuid)
        from chosen
        order by position desc, uuid desc
        offset %(limit)s::integer - 1
    )
    || coalesce('/' || case when (select view from asked) is not null then %(view)s else public.current_view() end, '') as next_key,
    null as lives_us,
    public.current_view() as seen
