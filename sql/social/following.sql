-- Summary: a page of posts and reposts by the users that the caller follows
-- Cost: the page; where the newest posts are by other users, the followed users, at most 1000 of them
-- What those whom the caller follows posted and reposted and has not expired, newest first; replies only where reposted.
-- A repost is the activity with reposted_by and reposted_at, at the time of the repost. Each activity is shown once, at the time of
-- its newest event (post or repost); reposters are all its reposters on the page. It is left out if one of its events was on an
-- earlier page: if the first page's snapshot has a newer repost. Of the reposts after that snapshot the newest 100 are read.
-- %(limit)s, %(after_us)s, %(after_uuid)s: as in activities/home.sql. %(view)s: as in messages/groups.sql. %(sub)s, %(handle)s: as in
-- activities/create.sql.
-- Outcomes: ok, user_not_found, user_not_registered.
--
-- The work is bounded, whatever is followed and written. For a user with more than 100 follows it walks along the newest 2000
-- posts and the newest 2000 reposts of all users. If that does not fill the page, and for a user with fewer follows, each followed user is
-- looked at, if they are 1000 at most: the newest ten posts of each, the newest ten reposts, and where ten posts that have
-- expired or are replies lie on top, each lifetime (see lifetime_key in schema.sql), for the 200 of them with the newest such
-- tens. The page cannot reach back behind the limit-th of these newest, so that only followed users with something since then
-- are looked at again, from there on.
-- What was not looked at ends the page early: behind the edge nothing is shown, and next_key is the edge. So a page may have
-- fewer rows than asked for, or none, and a next one.
-- (select true …) instead of exists: that one may become a hash of the whole table. Ranges of reposts from one user on, in
-- the index's own order, and coalesce: as in activities/show.sql. limit 1 has activities and users looked up one by one.
with me as (
    select uuid from public.caller(%(sub)s, %(handle)s)
),
asked as (
    select
        public.page_time(%(after_us)s) as at,
        public.page_uuid(%(after_uuid)s) as id,
        public.snapshot_of(%(view)s) as view,
        followed > 100 as walks,
        followed <= 1000 as may_step
    from (
        select count(*) as followed
        from (select from me join public.follows on follower_uuid = me.uuid limit 1001) counted
    ) counts
),
walked_posts as (
    select
        a.created_at as at,
        a.uuid as id,
        a.uuid as activity_uuid,
        null::uuid as reposter_uuid,
        public.is_live(a.expires_at) and (
            select true
            from public.follows
            where follower_uuid = (select uuid from me)
                and followed_uuid = a.user_uuid
        ) as counts
    from (
        select created_at, uuid, user_uuid, expires_at
        from public.activities
        where (select walks from asked)
            and reply_to_activity_uuid is null
            and (created_at, uuid) < ((select at from asked), (select id from asked))
        order by created_at desc, uuid desc
        limit 2000
    ) a
),
met_posts as (
    select at, id, activity_uuid, reposter_uuid
    from walked_posts
    where counts
    limit %(limit)s::integer + 1
),
-- All posts that are newer than this were met. Where the walk ended by itself, nothing older is left.
reached as (
    select coalesce(
        (select at from met_posts offset %(limit)s::integer),
        (select at from walked_posts offset 1999),
        '-infinity'
    ) as at
),
walked_reposts as (
    select
        r.created_at as at,
        r.activity_uuid,
        r.user_uuid as reposter_uuid,
        (
            select true
            from public.follows
            where follower_uuid = (select uuid from me)
                and followed_uuid = r.user_uuid
        ) as counts
    from (
        select created_at, user_uuid, activity_uuid
        from public.reposts
        where (select walks from asked)
            and created_at <= (select at from asked)
            and created_at > (select at from reached)
        order by created_at desc
        limit 2000
    ) r
),
met_reposts as (
    select at, public.event_uuid('repost', reposter_uuid, activity_uuid) as id, activity_uuid, reposter_uuid
    from walked_reposts
    where counts
        and (
            select true
            from public.activities
            where uuid = walked_reposts.activity_uuid
                and (expires_at is null or expires_at > now())
        )
        and (
            at < (select at from asked)
            or public.event_uuid('repost', reposter_uuid, activity_uuid) < (select id from asked)
        )
    limit %(limit)s::integer + 1
),
-- And all reposts that are newer than this.
horizon as (
    select greatest(
        reached.at,
        (select at from met_reposts offset %(limit)s::integer),
        (select at from walked_reposts offset 1999)
    ) as at
    from asked
    cross join reached
    where asked.walks
),
met as (
    select * from met_posts where at > (select at from horizon)
    union all
    select * from met_reposts where at > (select at from horizon)
),
steps as (
    select
        may_step
        and not exists (
            select
            from horizon
            where at = '-infinity'
                or (select count(*) from met) >= %(limit)s::integer
        ) as are_needed
    from asked
),
-- For each one followed the newest post and the newest repost; or, where none of the ten newest counts, the tenth's time.
tops as materialized (
    select
        f.followed_uuid as user_uuid,
        false as is_repost,
        top.at,
        case when top.at is null and top.seen = 10 then top.tenth end as tenth
    from me
    join public.follows f on f.follower_uuid = me.uuid
    cross join asked
    cross join lateral (
        select
            max(newest.created_at) filter (
                where newest.reply_to_activity_uuid is null and public.is_live(newest.expires_at)
            ) as at,
            count(*) as seen,
            min(newest.created_at) as tenth
        from (
            select created_at, reply_to_activity_uuid, expires_at
            from public.activities
            where user_uuid = f.followed_uuid
                and (created_at, uuid) < (asked.at, asked.id)
            order by created_at desc, uuid desc
            limit 10
        ) newest
    ) top
    where (select are_needed from steps)
    union all
    select f.followed_uuid, true, head.at, tenth.at
    from me
    join public.follows f on f.follower_uuid = me.uuid
    cross join asked
    left join lateral (
        select r.created_at as at
        from (
            select created_at, user_uuid, activity_uuid
            from public.reposts
            where user_uuid >= f.followed_uuid
                and (user_uuid, created_at) <= (f.followed_uuid, asked.at)
            order by user_uuid desc, created_at desc
            limit 10
        ) r
        cross join lateral (select expires_at from public.activities where uuid = r.activity_uuid limit 1) a
        where (r.created_at < asked.at or public.event_uuid('repost', r.user_uuid, r.activity_uuid) < asked.id)
            and public.is_live(a.expires_at)
        order by r.user_uuid desc, r.created_at desc
        limit 1
    ) head on true
    left join lateral (
        select created_at as at
        from public.reposts
        where user_uuid >= f.followed_uuid
            and (user_uuid, created_at) <= (f.followed_uuid, asked.at)
            and head.at is null
        order by user_uuid desc, created_at desc
        offset 9
        limit 1
    ) tenth on true
    where (select are_needed from steps)
),
heads as (
    select user_uuid, is_repost, at
    from tops
    where at is not null
    union all
    select buried.user_uuid, false, live.at
    from (
        select user_uuid
        from tops
        where not is_repost
            and tenth is not null
        order by tenth desc
        limit 200
    ) buried
    cross join asked
    cross join lateral (
        select max(newest.at) as at
        from public.lifetimes() lifetime
        cross join lateral (
            select created_at as at
            from public.activities
            where user_uuid = buried.user_uuid
                and reply_to_activity_uuid is null
                and public.lifetime_key(created_at, expires_at) > lifetime.since
                and (public.lifetime_key(created_at, expires_at), uuid) < (
                    coalesce(lifetime.zero + %(after_us)s::bigint, lifetime.until),
                    asked.id
                )
                and public.is_live(expires_at)
            order by public.lifetime_key(created_at, expires_at) desc, uuid desc
            limit 1
        ) newest
    ) live
    where live.at is not null
),
-- All events that are newer than this are known.
edge as (
    select
        case
            when steps.are_needed then
                greatest(
                    '-infinity',
                    (select max(tenth) from tops where is_repost),
                    (select tenth from tops where not is_repost and tenth is not null order by tenth desc offset 200 limit 1)
                )
            else (select at from horizon)
        end as at
    from steps
),
oldest as (
    select head.at, public.lifetime_key(head.at, null) - 8000000000000000000 as us
    from (
        select coalesce(
            greatest(
                (select at from heads order by at desc offset %(limit)s::integer - 1 limit 1),
                (select at from edge)
            ),
            '-infinity'
        ) as at
    ) head
),
stepped as (
    select event.at, event.id, event.activity_uuid, null::uuid as reposter_uuid
    from heads
    cross join oldest
    cross join asked
    cross join public.lifetimes() lifetime
    cross join lateral (
        select created_at as at, uuid as id, uuid as activity_uuid
        from public.activities
        where user_uuid = heads.user_uuid
            and reply_to_activity_uuid is null
            and public.lifetime_key(created_at, expires_at) > greatest(lifetime.since, lifetime.zero + oldest.us - 1)
            and (public.lifetime_key(created_at, expires_at), uuid) < (
                coalesce(lifetime.zero + %(after_us)s::bigint, lifetime.until),
                asked.id
            )
            and public.is_live(expires_at)
        order by public.lifetime_key(created_at, expires_at) desc, uuid desc
        limit %(limit)s::integer
    ) event
    where not heads.is_repost
        and heads.at >= oldest.at
    union all
    select event.at, event.id, event.activity_uuid, heads.user_uuid
    from heads
    cross join oldest
    cross join asked
    cross join lateral (
        select
            r.created_at as at,
            public.event_uuid('repost', r.user_uuid, r.activity_uuid) as id,
            r.activity_uuid
        from public.reposts r
        cross join lateral (select expires_at from public.activities where uuid = r.activity_uuid limit 1) a
        where (r.user_uuid, r.created_at) >= (heads.user_uuid, oldest.at)
            and (r.user_uuid, r.created_at) <= (heads.user_uuid, asked.at)
            and (r.created_at < asked.at or public.event_uuid('repost', r.user_uuid, r.activity_uuid) < asked.id)
            and public.is_live(a.expires_at)
        order by r.user_uuid desc, r.created_at desc
        fetch first (%(limit)s::integer) rows with ties -- which one comes first of two is in no index
    ) event
    where heads.is_repost
        and heads.at >= oldest.at
),
newest as (
    select *
    from (
        select at, id, activity_uuid, reposter_uuid from met where not (select are_needed from steps)
        union all
        select at, id, activity_uuid, reposter_uuid from stepped
    ) events
    where at > (select at from edge)
    order by at desc, id desc
    limit %(limit)s::integer
),
-- For each activity its newest event, and the users that reposted it in these events.
gathered as (
    select
        activity_uuid,
        max(at) as at,
        (array_agg(id order by at desc, id desc))[1] as id,
        (array_agg(reposter_uuid order by at desc, id desc))[1] as reposter_uuid,
        array_remove(array_agg(reposter_uuid order by at desc, id desc), null) as reposter_uuids
    from newest
    group by activity_uuid
),
distinct_newest as (
    select gathered.*
    from gathered
    cross join asked
    where not exists (
            select
            from (
                select user_uuid, created_at, written_by
                from public.reposts
                where activity_uuid = gathered.activity_uuid
                    and created_at >= asked.at
                order by created_at desc
                limit 100
            ) earlier
            where (asked.view is null or public.was_seen(earlier.written_by, asked.view))
                and (earlier.created_at, public.event_uuid('repost', earlier.user_uuid, gathered.activity_uuid)) >= (asked.at, asked.id)
                and (
                    select true
                    from public.follows
                    where follower_uuid = (select uuid from me)
                        and followed_uuid = earlier.user_uuid
                )
        )
),
page as (
    select coalesce(json_agg(shown.body order by event.at desc, event.id desc), '[]') as list
    from distinct_newest event
    cross join me
    cross join lateral public.event_card(event.activity_uuid, me.uuid, event.reposter_uuid, event.at, event.reposter_uuids) shown
)
select
    case when exists (select from me) then 'ok' else public.missing_caller(%(sub)s) end as outcome,
    (select list from page) as body,
    coalesce(
        (select public.page_key(at, id) from newest order by at desc, id desc offset %(limit)s::integer - 1),
        (
            -- A microsecond earlier where the edge is in that in which the page began: no page leads to itself.
            select
                (extract(epoch from edge.at) * 1000000)::bigint - (edge.at >= asked.at)::integer
                || '/ffffffff-ffff-ffff-ffff-ffffffffffff'
            from edge
            cross join asked
            where edge.at > '-infinity'
        )
    )
    || coalesce('/' || case when (select view from asked) is not null then %(view)s else public.current_view() end, '') as next_key,
    null as lives_us,
    public.current_view() as seen
