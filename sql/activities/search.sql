-- Unexpired activities that fit a search, replies too: the newest of them, best first.
-- %(term)s: what search_query (in schema.sql) takes. %(limit)s: rows, 1 to 200.
--
-- How often and how close together the words are there counts for up to 1, that the last one is there as a whole for 0.5, how
-- new the activity is for 0.5 at most, which a day halves.
--
-- No more is looked at than it takes to have 100 or a page ("enough"):
-- 1. walk: the newest 4000 activities, without the index. What is found often is found often among them.
-- 2. ladder, if that is not enough: the index, for some time back alone ('@k:n', see activity_search), eight times as long with
--    each step, until there is enough. A step looks at 1000, and is the last one where there are more.
-- 3. of_lifetimes, if that has nearly always expired or the index is of no use: the newest 500 posts of each lifetime, see
--    lifetime_key.
-- Of an author (%(term)s has the start of a handle) the newest 200 are looked at, of the first ten whose handle begins so, and
-- nothing of the above.
-- (The selects around numbers and the limits of 1 are for the planner: no plan takes all of an author's, or all users.)
with recursive asked as materialized (
    select *, greatest(%(limit)s::integer, 100) as enough
    from public.search_query(%(term)s)
),
walk as materialized (
    select uuid, created_at
    from (
        select uuid, created_at, expires_at, search, message
        from public.activities
        where (select handle is null from asked)
        order by created_at desc, uuid desc
        limit (select 4000)
    ) newest
    where (expires_at is null or expires_at > now())
        and case
            when (select fit is not null from asked) then search @@ (select fit from asked)
            else strpos(translate(message, U&'\FE0E\FE0F', ''), (select plain from asked)) > 0
        end
    limit (select enough from asked)
),
-- What the walk left open: how far it went, in seconds, if there is more than that.
beyond as materialized (
    select extract(epoch from now() - created_at) as seconds
    from public.activities
    where (select handle is null from asked)
        and (select count(*) from walk) < (select enough from asked)
    order by created_at desc, uuid desc
    offset 3999
    limit 1
),
ladder as (
    select
        greatest(least(ceil(log(8, greatest(seconds, 1) / 4096)), 4), 0)::integer as rung, -- of 2^(12 + 3 * rung) seconds; 4: all times
        '{}'::uuid[] as uuids,
        0::bigint as seen
    from beyond
    where (select loose is not null from asked)
    union all
    select ladder.rung + 1, step.uuids, step.seen
    from ladder
    cross join lateral (
        -- A materialized part is planned as if all of it were wanted, which is by the index, and read only as far as it is.
        with fitting as materialized (
            select uuid, created_at, expires_at, search
            from public.activities
            where search @@ (
                select
                    case
                        when ladder.rung = 4 then loose
                        else loose && ('''@' || k || ':' || n || ''' | ''@' || k || ':' || n - 1 || '''')::tsquery
                    end
                from asked
                cross join lateral (select 12 + 3 * ladder.rung as k) power
                cross join lateral (select floor(extract(epoch from now()) / (1 << k))::bigint as n) period
            )
        )
        select
            count(*) as seen,
            (array_agg(uuid order by created_at desc, uuid desc) filter (
                where (expires_at is null or expires_at > now()) and search @@ (select fit from asked)
            ))[:(select enough from asked)] as uuids
        from (select * from fitting limit 1000) looked
    ) step
    where ladder.rung <= 4
        and ladder.seen < 1000
        and coalesce(cardinality(ladder.uuids), 0) < (select enough from asked)
),
of_ladder as materialized (
    select a.uuid, a.created_at
    from (
        select uuids, seen
        from ladder
        order by rung desc
        limit 1
    ) last
    cross join unnest(last.uuids) climbed (uuid)
    cross join lateral (select uuid, created_at from public.activities where uuid = climbed.uuid limit 1) a
),
of_lifetimes as (
    select newest.uuid, newest.created_at
    from public.lifetimes() lifetime
    cross join lateral (
        select uuid, created_at, search, message
        from public.activities
        where exists (select from beyond)
            and ((select loose is null from asked) or (select max(seen) = 1000 from ladder))
            and reply_to_activity_uuid is null
            and public.lifetime_key(created_at, expires_at) > lifetime.since
            and public.lifetime_key(created_at, expires_at) < lifetime.until
            and coalesce(expires_at > now(), true)
        order by public.lifetime_key(created_at, expires_at) desc, uuid desc
        limit (select 500)
    ) newest
    where case
            when (select fit is not null from asked) then newest.search @@ (select fit from asked)
            else strpos(translate(newest.message, U&'\FE0E\FE0F', ''), (select plain from asked)) > 0
        end
),
authors as materialized (
    select uuid
    from public.users
    where folded_handle >= (select handle from asked)
        and folded_handle < (select handle || chr(1114111) from asked)
    order by folded_handle
    limit 10
),
of_authors as (
    select newest.uuid, newest.created_at
    from authors
    cross join lateral (
        select uuid, created_at, expires_at, search, message
        from public.activities
        where user_uuid = authors.uuid
        order by created_at desc, uuid desc
        limit (select 200)
    ) newest
    where (newest.expires_at is null or newest.expires_at > now())
        and case
            when (select fit is not null from asked) then newest.search @@ (select fit from asked)
            else coalesce(strpos(translate(newest.message, U&'\FE0E\FE0F', ''), (select plain from asked)) > 0, true)
        end
),
found as (
    select uuid, created_at from walk
    union
    select uuid, created_at from of_ladder
    union
    select uuid, created_at from of_lifetimes
    union
    select uuid, created_at from of_authors
    order by created_at desc, uuid desc
    limit (select enough from asked)
)
select
    a.uuid,
    u.display_name,
    u.handle,
    a.message,
    a.replies_count,
    a.reposts_count,
    a.likes_count,
    a.reply_to_activity_uuid,
    a.expires_at,
    a.created_at,
    '[]'::json as replies
from found
cross join lateral (select * from public.activities where uuid = found.uuid limit 1) a
cross join lateral (select display_name, handle from public.users where uuid = a.user_uuid limit 1) u
order by
    coalesce(ts_rank('{1, 1, 1, 1}', a.search, (select fit from asked)), 0)
    + case when a.search @@ (select whole from asked) then 0.5 else 0 end
    + 0.5 / (1 + extract(epoch from now() - a.created_at) / 86400) desc,
    a.created_at desc,
    a.uuid desc
limit %(limit)s::integer
