-- Summary: a page of posts and reposts by the users that the caller follows
-- Cost: the page; where the newest posts are by other users, the followed users, at most 1000 of them
-- What the users that the caller follows posted and reposted and has not expired, newest first; replies only where reposted.
-- A repost is the activity with reposted_by and reposted_at, at the time of the repost. Each activity is shown once, at the time of
-- its newest event (post or repost); reposters are all its reposters on the page. It is left out if one of its events was on an
-- earlier page: if the first page's snapshot has a newer repost. Of the reposts after that snapshot the newest 100 are read.
-- %(limit)s, %(after_us)s, %(after_uuid)s: as in activities/home.sql. %(view)s: as in messages/groups.sql. %(sub)s, %(handle)s: as in
-- activities/create.sql.
-- Outcomes: ok, user_not_found, user_not_registered.
--
-- For at most 1000 followed users: heads has the newest post and the newest repost of each, out of the newest ten; where none of ten is
-- left, the tenth's time. The limit-th of these heads is the oldest event that the page can have, so only users with something since
-- then are read further (stepped), one row more of each than the page has. For more followed users: walked has the newest 2000 posts
-- and 2000 reposts of all users.
-- The page ends where something was not read (edge), and next_key is that position: a page may have fewer rows than %(limit)s and
-- a next page. (select true …) instead of exists: that one may become a hash of the whole table.
with me as (
    select uuid from public.caller(%(sub)s, %(handle)s)
),
asked as (
    select
        public.page_time(%(after_us)s) as at,
        public.page_uuid(%(after_uuid)s) as id,
        public.snapshot_of(%(view)s) as view,
        (select count(*) from (select from me join public.follows on follower_uuid = me.uuid limit 1001) counted) > 1000 as is_many
),
heads as materialized (
    select head.*
    from (select me.uuid from me cross join asked where not is_many) follower
    cross join lateral public.heads(follower.uuid, %(after_us)s, %(after_uuid)s) head
),
oldest as (
    select greatest(
        (select at from heads where at is not null order by at desc offset %(limit)s::integer - 1 limit 1),
        (select max(tenth) from heads),
        '-infinity'
    ) as at
),
stepped as materialized (
    select heads.user_uuid, heads.is_repost, a.created_at as at, a.uuid as id, a.uuid as activity_uuid
    from oldest
    join heads on heads.at >= oldest.at and not heads.is_repost
    cross join lateral public.user_posts(heads.user_uuid, %(after_us)s, %(after_uuid)s, oldest.at, %(limit)s::integer + 1) a
    union all
    select heads.user_uuid, heads.is_repost, r.at, r.id, r.activity_uuid
    from oldest
    join heads on heads.at >= oldest.at and heads.is_repost
    cross join lateral public.user_reposts(heads.user_uuid, %(after_us)s, %(after_uuid)s, oldest.at, %(limit)s::integer + 1) r
),
walked as materialized (
    select a.user_uuid, false as is_repost, a.created_at as at, a.uuid as id, a.uuid as activity_uuid
    from (select case when is_many then 2000 else 0 end as most from asked) bound
    cross join lateral public.posts_before(%(after_us)s, %(after_uuid)s, bound.most) a
    union all
    select r.user_uuid, true, r.at, r.id, r.activity_uuid
    from (select case when is_many then 2000 else 0 end as most from asked) bound
    cross join lateral public.reposts_before(%(after_us)s, %(after_uuid)s, bound.most) r
),
edge as (
    select greatest(
        (select max(tenth) from heads),
        (select max(at) from (select min(at) as at from stepped group by user_uuid, is_repost having count(*) > %(limit)s::integer) full_steps),
        (select max(at) from (select min(at) as at from walked group by is_repost having count(*) >= 2000) full_walks),
        '-infinity'
    ) as at
),
newest as (
    select event.*
    from (
        select * from stepped
        union all
        select *
        from walked
        where (select true from public.follows where follower_uuid = (select uuid from me) and followed_uuid = walked.user_uuid)
    ) event
    cross join edge
    cross join lateral public.activity(event.activity_uuid) a
    where event.at > edge.at
        and public.is_live(a.expires_at)
    order by event.at desc, event.id desc
    limit %(limit)s::integer
),
-- For each activity its newest event, and the users that reposted it in these events.
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
        where not exists (select from public.earlier_reposts(event.activity_uuid, me.uuid, asked.at, asked.id, asked.view))
    ) as body,
    coalesce(
        (select public.page_key(at, id) from newest order by at desc, id desc offset %(limit)s::integer - 1),
        (
            -- A microsecond earlier where the edge is in that in which the page began: no page leads to itself.
            select public.page_key(edge.at - case when edge.at >= asked.at then interval '1 us' else '0' end, public.page_uuid(null))
            from edge
            cross join asked
            where edge.at > '-infinity'
        )
    )
    || coalesce('/' || case when (select view from asked) is not null then %(view)s else public.current_view() end, '') as next_key,
    null as lives_us,
    public.current_view() as seen
