-- Summary: what of social/following has become visible since an answer
-- Cost: the page, and up to 500 posts and 500 reposts written since
-- The posts and reposts of the users that the caller follows, for a client that polls: those that were not visible to an earlier answer
-- and are visible now, the latest transaction first; see activities/since.sql. Rows are as in following.sql; a page has each activity
-- once. %(since)s: the snapshot of the earlier answer. %(limit)s: as in following.sql. %(after_us)s, %(after_uuid)s: written_by and id
-- of the event that the page starts behind; null: the first page. %(sub)s, %(handle)s: as in activities/create.sql.
-- Outcomes: ok, cursor_expired, user_not_found, user_not_registered.
-- The statement walks along at most 500 rows of activities_written_idx and 500 of reposts_written_idx. The page ends where the first of
-- the two ends, and then has a next page.
with me as (
    select uuid
    from public.users
    where cognito_user_id = %(sub)s
        or (%(sub)s is null and folded_handle = public.fold_text(%(handle)s))
),
asked as (
    select
        split_part(%(since)s, '/', 2)::pg_snapshot as seen,
        split_part(%(since)s, '/', 1) = split_part(public.current_view(), '/', 1) as is_of_this_server,
        coalesce(%(after_us)s::xid8, '18446744073709551615') as written_by,
        coalesce(%(after_uuid)s::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff') as id
),
walked_posts as (
    select a.uuid, a.user_uuid, a.created_at, a.expires_at, a.written_by
    from asked
    cross join lateral (
        select uuid, user_uuid, created_at, expires_at, written_by
        from public.activities
        where reply_to_activity_uuid is null
            and written_by >= pg_snapshot_xmin(asked.seen)
            and written_by < pg_snapshot_xmax(pg_current_snapshot())
            and (written_by, uuid) < (asked.written_by, asked.id)
        order by written_by desc, uuid desc
        limit 500
    ) a
    where asked.is_of_this_server
),
walked_reposts as (
    select r.activity_uuid, r.user_uuid, r.created_at, r.written_by
    from asked
    cross join lateral (
        select activity_uuid, user_uuid, created_at, written_by
        from public.reposts
        where written_by >= pg_snapshot_xmin(asked.seen)
            and written_by < pg_snapshot_xmax(pg_current_snapshot())
            and written_by <= asked.written_by
        order by written_by desc, activity_uuid desc
        limit 500
    ) r
    where asked.is_of_this_server
),
-- The events of all later transactions have been read.
edge as (
    select greatest(
        (select written_by from walked_posts order by written_by desc offset 499 limit 1),
        (select written_by from walked_reposts order by written_by desc offset 499 limit 1)
    ) as written_by
),
events as (
    select event.written_by, event.id, event.activity_uuid, event.reposter_uuid, event.at
    from (
        select written_by, uuid as id, uuid as activity_uuid, user_uuid, null::uuid as reposter_uuid, created_at as at
        from walked_posts
        where coalesce(expires_at > now(), true)
        union all
        select
            r.written_by,
            public.event_uuid('repost', r.user_uuid, r.activity_uuid),
            r.activity_uuid,
            r.user_uuid,
            r.user_uuid,
            r.created_at
        from walked_reposts r
        cross join lateral (select expires_at from public.activities where uuid = r.activity_uuid limit 1) a
        where coalesce(a.expires_at > now(), true)
    ) event
    cross join asked
    cross join edge
    where not public.was_seen(event.written_by, asked.seen)
        and (event.written_by, event.id) < (asked.written_by, asked.id)
        and (edge.written_by is null or event.written_by > edge.written_by)
        and (
            select true
            from public.follows
            where follower_uuid = (select uuid from me)
                and followed_uuid = event.user_uuid
        )
    order by event.written_by desc, event.id desc
    limit %(limit)s::integer
),
gathered as (
    select
        activity_uuid,
        max(written_by) as written_by,
        (array_agg(id order by written_by desc, id desc))[1] as id,
        (array_agg(at order by written_by desc, id desc))[1] as at,
        (array_agg(reposter_uuid order by written_by desc, id desc))[1] as reposter_uuid,
        array_remove(array_agg(reposter_uuid order by written_by desc, id desc), null) as reposter_uuids
    from events
    group by activity_uuid
),
page as (
    select
        event.written_by,
        event.id,
        (
            select row_to_json(shown)
            from (
                select
                    a.uuid,
                    author.display_name,
                    author.handle,
                    a.message,
                    a.replies_count,
                    a.reposts_count,
                    a.likes_count,
                    a.reply_to_activity_uuid,
                    a.expires_at,
                    a.created_at,
                    coalesce((select true from public.likes where user_uuid = me.uuid and activity_uuid = a.uuid), false) as liked,
                    coalesce((select true from public.reposts where user_uuid = me.uuid and activity_uuid = a.uuid), false) as reposted,
                    (
                        select row_to_json(reposter)
                        from (select handle, display_name from public.users where uuid = event.reposter_uuid) reposter
                    ) as reposted_by,
                    case when event.reposter_uuid is not null then event.at end as reposted_at,
                    (
                        select coalesce(json_agg(reposter order by listed.number), '[]')
                        from unnest(event.reposter_uuids) with ordinality listed (uuid, number)
                        cross join lateral (select handle, display_name from public.users where uuid = listed.uuid limit 1) reposter
                    ) as reposters,
                    '[]'::json as replies
            ) shown
        ) as body
    from gathered event
    cross join me
    cross join lateral (
        select uuid, user_uuid, message, replies_count, reposts_count, likes_count, reply_to_activity_uuid, expires_at, created_at
        from public.activities
        where uuid = event.activity_uuid
        limit 1
    ) a
    cross join lateral (select display_name, handle from public.users where uuid = a.user_uuid limit 1) author
)
select
    case
        when not exists (select from me) and %(sub)s is null then 'user_not_found'
        when not exists (select from me) then 'user_not_registered'
        when exists (select from asked where not is_of_this_server) then 'cursor_expired'
        else 'ok'
    end as outcome,
    coalesce((select json_agg(body order by written_by desc, id desc) from page), '[]') as body,
    coalesce(
        (select written_by || '/' || id from events order by written_by desc, id desc offset %(limit)s::integer - 1),
        (
            -- A transaction that fills a walk alone is passed over: otherwise the next page would be the same one.
            select
                case
                    when edge.written_by < asked.written_by then edge.written_by
                    else (edge.written_by::text::bigint - 1)::text::xid8
                end
                || '/ffffffff-ffff-ffff-ffff-ffffffffffff'
            from edge
            cross join asked
            where edge.written_by is not null
        )
    ) as next_key,
    null as lives_us,
    public.current_view() as seen
