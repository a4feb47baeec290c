-- Summary: what fits a term, the newest of it, the best first
-- Cost: how little of it there is among the newest, see below
-- Unexpired activities, replies too. %(sub)s, %(viewer)s: the viewer, as in home.sql. %(term)s: what search_query (in schema.sql) takes.
-- %(limit)s: rows, 1 to 200.
-- The rank is a sum: up to 1 for how often and how close together the words occur, 0.5 if the last word occurs as a whole word, and
-- up to 0.5 for how new the activity is, half of that after a day.
--
-- The search reads no more than it needs for 100 rows or a page, whichever is more ("enough"):
-- 1. walk: the newest 1000 activities, without the index, until there are enough.
-- 2. ladder, if the index would return fewer than 20 of these 1000, expired ones included: a search by the index for a limited time
--    back, eight times as long with each step, until there are enough (see search_step; for a frequent word the index would collect
--    too many rows).
-- 3. further, otherwise, or if a step of the ladder found as many rows as it may read: the next 5000 activities.
-- For a term with the start of a handle, of_authors replaces these three: the newest 200 activities of each of the first ten users
-- whose handle has this start.
with recursive viewer as materialized (
    select * from public.viewer(%(sub)s, %(viewer)s)
),
asked as materialized (
    select
        *,
        greatest(%(limit)s::integer, 100) as enough,
        case when handle is null then 6000 else 0 end as walk_rows
    from public.search_query(%(term)s)
),
-- Only as many rows are read as the parts below fetch.
newest as materialized (
    select
        a.uuid, a.created_at, a.search @@ asked.loose as is_candidate,
        public.is_live(a.expires_at) and public.fits(a.search, a.message, asked.fit, asked.plain)
        and not public.hides(viewer.uuid, viewer.has_hidden, a.user_uuid) as fits
    from asked
    cross join viewer
    cross join lateral (select * from public.activities order by created_at desc, uuid desc limit asked.walk_rows) a
),
walk as materialized (
    select uuid, created_at
    from (select * from newest limit 1000) first
    where fits
    limit (select enough from asked)
),
-- One row if the walk did not find enough and there are more activities: how far back the walk went.
beyond as materialized (
    select extract(epoch from now() - min(created_at)) as seconds, count(is_candidate) > 0 and count(*) filter (where is_candidate) < 20 as is_rare
    from (select * from newest limit 1000) first
    where (select count(*) from walk) < (select enough from asked)
    having count(*) = 1000
),
ladder as (
    select
        greatest(least(ceil(log(8, greatest(seconds, 1) / 4096)), 4), 0)::integer as rung,
        '{}'::uuid[] as uuids,
        0::bigint as seen
    from beyond
    where is_rare
    union all
    select ladder.rung + 1, step.uuids, step.seen
    from ladder
    cross join asked
    cross join viewer
    cross join lateral public.search_step(asked.loose, asked.fit, ladder.rung, asked.enough, viewer.uuid, viewer.has_hidden) step
    where ladder.rung <= 4
        and ladder.seen < 1000
        and cardinality(ladder.uuids) < asked.enough
),
further as materialized (
    select uuid, created_at
    from (select * from newest offset 1000) others
    where fits
        and exists (select from beyond)
        and (select coalesce(max(seen) = 1000, true) from ladder)
    limit (select enough from asked)
),
of_authors as (
    select newest.uuid, newest.created_at
    from asked
    cross join viewer
    cross join lateral (
        select uuid
        from public.users
        where folded_handle >= asked.handle
            and folded_handle < asked.handle || chr(1114111)
            and not public.hides(viewer.uuid, viewer.has_hidden, users.uuid)
        order by folded_handle
        limit 10
    ) author
    cross join lateral (
        select * from public.user_posts(author.uuid, null, null, '-infinity', 200)
        union all
        select * from public.user_replies(author.uuid, null, null, 200)
        order by created_at desc, uuid desc
        limit 200
    ) newest
    where public.is_live(newest.expires_at)
        and coalesce(public.fits(newest.search, newest.message, asked.fit, asked.plain), true)
),
found as (
    select uuid, created_at from walk
    union
    select uuid, created_at from further
    union
    select a.uuid, a.created_at
    from unnest((select uuids from ladder order by rung desc limit 1)) climbed (uuid)
    cross join lateral public.activity(climbed.uuid) a
    union
    select uuid, created_at from of_authors
    order by created_at desc, uuid desc
    limit (select enough from asked)
)
select card.*, '[]'::json as replies
from found
cross join asked
cross join lateral public.activity(found.uuid) a
cross join lateral public.author(a.user_uuid) u
cross join lateral public.card(a, u.display_name, u.handle) card
cross join viewer
where not public.hides(viewer.uuid, viewer.has_hidden, a.user_uuid)
order by
    coalesce(ts_rank('{1, 1, 1, 1}', a.search, asked.fit), 0)
    + case when a.search @@ asked.whole then 0.5 else 0 end
    + 0.5 / (1 + extract(epoch from now() - a.created_at) / 86400) desc,
    a.created_at desc,
    a.uuid desc
limit %(limit)s::integer
