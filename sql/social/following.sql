-- Summary: a page of posts and reposts by the users that the caller follows
-- Cost: the page; where the newest posts are by other users, the followed users, at most 1000 of them
-- The unexpired posts and reposts of the users that the caller follows, newest first; replies only if they were reposted; nothing of
-- users that are hidden from the caller. A repost is the activity with reposted_by and reposted_at, at the time of the repost. Each
-- activity is shown once, at the time of its newest event (post or repost); reposters are all its reposters on the page. It is left out
-- if one of its events was on an earlier page, that is, if the first page's snapshot has a newer repost of it (see earlier_reposts).
-- %(limit)s, %(after_us)s, %(after_uuid)s: as in activities/home.sql. %(view)s: as in messages/groups.sql. %(sub)s, %(handle)s: as in
-- activities/create.sql. Outcomes: ok, user_not_found, user_not_registered.
-- 1. walked, for more than 100 followed users: the newest 2000 posts and reposts of all users, until a page of matching ones is found.
-- 2. heads, if the page is not full or there are fewer followed users: the newest event of each of them, if they are at most 1000. The
--    limit-th of these is the oldest event that the page can have, so only users with newer events are read further (stepped).
-- Each of the two has all events that are newer than its edge. The page ends at the older of the edges, however few rows it then has.
-- Up to 32 posts or reposts share a commit (CONNECTION_BATCH_MAX in src/db/connection.h), and so a created_at. Therefore walked goes on until
-- it has met 32 more than fit on the page: then as many as fit are newer than the edge.
with me as materialized (
    select caller.uuid, public.has_hidden(caller.uuid) as has_hidden from public.caller(%(sub)s, %(handle)s) caller
),
asked as (
    select
        public.snapshot_of(%(view)s) as view,
        case when followed > 100 then 2000 else 0 end as walk_rows,
        case when followed between 1 and 1000 then 500 / least(followed, 100) else 0 end as head_rows
    from (select count(*)::integer as followed from (select from me join public.follows on follower_uuid = me.uuid limit 1001) listed) counted
),
walked as materialized (
    select event.*
    from asked
    cross join lateral public.events_before(%(after_us)s, %(after_uuid)s, asked.walk_rows) event
),
met as materialized (
    select user_uuid, is_repost, at, id, activity_uuid
    from walked
    where (is_repost or public.is_live(expires_at))
        and (select true from public.follows where follower_uuid = (select uuid from me) and followed_uuid = walked.user_uuid)
        and (not is_repost or (select public.is_live(expires_at) from public.activity(walked.activity_uuid)))
    limit %(limit)s::integer + 32
),
walk as materialized (
    select coalesce(
        (select at from met offset %(limit)s::integer + 31),
        (select at from walked offset greatest(walk_rows - 1, 0)),
        case when walk_rows > 0 or head_rows = 0 then '-infinity'::timestamptz else 'infinity' end
    ) as edge
    from asked
),
heads as materialized (
    select head.user_uuid, head.is_repost, head.at, coalesce(head.last_at, '-infinity') as last_at
    from me
    cross join asked
    cross join walk
    cross join lateral public.heads(me.uuid, %(after_us)s, %(after_uuid)s, asked.head_rows) head
    where asked.head_rows > 0
        and walk.edge > '-infinity'
        and (select count(*) from met where at > walk.edge) < %(limit)s::integer
),
oldest as materialized (
    select
        max(last_at) as last_at,
        greatest((select at from heads where at is not null order by at desc offset %(limit)s::integer - 1 limit 1), max(last_at)) as at
    from heads
),
stepped as materialized (
    select heads.user_uuid, heads.is_repost, event.at, event.id, event.activity_uuid, public.is_live(event.expires_at) as is_live
    from oldest
    join heads on heads.at >= oldest.at
    cross join lateral public.user_events(
        heads.user_uuid, heads.is_repost, %(after_us)s, %(after_uuid)s, oldest.at, %(limit)s::integer + 1
    ) event
),
edge as (
    select least(
        walk.edge,
        greatest(
            oldest.last_at,
            -- What is older than the limit-th head was not read, and the page may lack rows that are hidden from the caller.
            (select at - interval '1 microsecond' from heads where at is not null order by at desc offset %(limit)s::integer - 1 limit 1),
            (select max(at) from (select min(at) as at from stepped group by user_uuid, is_repost
                having count(*) > %(limit)s::integer and count(*) filter (where is_live) < %(limit)s::integer) filled)
        )
    ) as at
    from walk
    cross join oldest
),
newest as (
    select event.*
    from (select * from met union select user_uuid, is_repost, at, id, activity_uuid from stepped where is_live) event
    cross join edge
    cross join me
    where event.at > edge.at
        and not public.hides(me.uuid, me.has_hidden, event.user_uuid)
        and (
            not (me.has_hidden and event.is_repost)
            or not public.hides(me.uuid, true, (select user_uuid from public.activity(event.activity_uuid)))
        )
    order by event.at desc, event.id desc
    limit %(limit)s::integer
),
gathered as (
    select
        activity_uuid,
        max(at) as at,
        (array_agg(id order by at desc, id desc))[1] as id,
        (array_agg(case when is_repost then user_uuid end order by at desc, id desc))[1] as reposter_uuid,
        coalesce(array_agg(user_uuid order by at desc, id desc) filter (where is_repost), '{}') as reposter_uuids
    from newest
    group by activity_uuid
)
select
    case when exists (select from me) then 'ok' else public.missing_caller(%(sub)s) end as outcome,
    (
        select coalesce(json_agg(shown.body order by event.at desc, event.id desc), '[]')
        from gathered event
        cross join asked
        cross join me
        cross join lateral public.event_card(event.activity_uuid, me.uuid, event.reposter_uuid, event.at, event.reposter_uuids) shown
        where not exists (select from public.earlier_reposts(event.activity_uuid, me.uuid, %(after_us)s, %(after_uuid)s, asked.view))
    ) as body,
    coalesce(
        (select public.page_key(at, id) from newest order by at desc, id desc offset %(limit)s::integer - 1),
        (select public.edge_key(at, %(after_us)s) from edge)
    )
    || coalesce('/' || case when (select view from asked) is not null then %(view)s else public.current_view() end, '') as next_key,
    null as lives_us,
    public.current_view() as seen
