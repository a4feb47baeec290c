-- Summary: what of social/following has become visible since an answer
-- Cost: the page, and up to 500 posts and 500 reposts written since
-- The posts and reposts of the users that the caller follows, for a client that polls: those that were not visible to an earlier answer
-- and are visible now, the latest transaction first; see activities/since.sql. Rows are as in following.sql; a page has each activity
-- once. %(since)s: the snapshot of the earlier answer. %(limit)s: as in following.sql. %(after_us)s, %(after_uuid)s: written_by and id
-- of the event that the page starts behind; null: the first page. %(sub)s, %(handle)s: as in activities/create.sql.
-- Outcomes: ok, cursor_expired, user_not_found, user_not_registered.
-- The statement walks along at most 500 rows of activities_written_idx and 500 of reposts_written_idx. The page ends where the first of
-- the two walks ends, and then there is a next page.
with me as materialized (
    select caller.uuid, public.has_hidden(caller.uuid) as has_hidden from public.caller(%(sub)s, %(handle)s) caller
),
asked as (
    select
        public.snapshot_of(%(since)s) as seen,
        coalesce(%(after_us)s::xid8, '18446744073709551615') as written_by,
        public.page_uuid(%(after_uuid)s) as id
),
walked_posts as (
    select a.uuid, a.user_uuid, a.created_at, a.expires_at, a.written_by
    from asked
    cross join lateral public.posts_since(asked.seen, asked.written_by, asked.id, 500) a
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
),
-- All events of transactions after this one have been read.
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
        where public.is_live(expires_at)
        union all
        select
            r.written_by, public.event_uuid('repost', r.user_uuid, r.activity_uuid), r.activity_uuid, r.user_uuid, r.user_uuid,
            r.created_at
        from walked_reposts r
        cross join lateral public.activity(r.activity_uuid) a
        where public.is_live(a.expires_at)
    ) event
    cross join asked
    cross join edge
    cross join me
    where not public.was_seen(event.written_by, asked.seen)
        and (event.written_by, event.id) < (asked.written_by, asked.id)
        and (edge.written_by is null or event.written_by > edge.written_by)
        and (select true from public.follows where follower_uuid = (select uuid from me) and followed_uuid = event.user_uuid)
        and not public.hides(me.uuid, me.has_hidden, event.user_uuid)
        and case
            when me.has_hidden and event.reposter_uuid is not null
                then not public.hides(me.uuid, true, (select user_uuid from public.activity(event.activity_uuid)))
            else true
        end
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
)
select
    case
        when not exists (select from me) then public.missing_caller(%(sub)s)
        when (select seen from asked) is null then 'cursor_expired'
        else 'ok'
    end as outcome,
    (
        select coalesce(json_agg(shown.body order by event.written_by desc, event.id desc), '[]')
        from gathered event
        cross join me
        cross join lateral public.event_card(event.activity_uuid, me.uuid, event.reposter_uuid, event.at, event.reposter_uuids) shown
    ) as body,
    coalesce(
        (select written_by || '/' || id from events order by written_by desc, id desc offset %(limit)s::integer - 1),
        (
            -- A transaction that fills a walk alone is skipped, because otherwise the next page would be the same one.
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
