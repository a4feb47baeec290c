-- Unexpired activities that fit a search, replies too: the newest of them, best first.
-- %(words)s: in the syntax of websearch_to_tsquery. %(start)s: the last of them, of which the start is enough; %(others)s:
-- the words without it. %(tags)s: '#one #two'. %(handle)s: the start of their authors' handle. %(text)s: what to look for
-- as it is when there is no word and no tag in all this, such as an emoji. Any of them may be null.
-- %(limit)s: rows, 1 to 200.
--
-- How often and how close together the words are there counts for up to 1, that the last one is there as a whole for 0.5, how
-- new the activity is for 0.5 at most, which a day halves.
--
-- What is found often is found often everywhere, so that no more is looked at than it takes to have 100 or a page. First the
-- newest 1000 activities, without the index. If they haven't enough, how often it was there tells how much more there is to
-- look at: at more of the newest, 4000 at most, or with the index, but for some time back alone ('@k:n', see activities.search),
-- eight times as long with each step until there is enough. A step looks at 1000 that fit, and is the last one where there are
-- more. Where that or what is there often has nearly always expired, or no index helps, it is looked for in the newest 500 posts
-- of each lifetime, see lifetime_key in schema.sql. Of an author the newest 200 are looked at, of the first ten whose handle
-- begins so. A start of one letter is not looked up in the index, which would collect every place of every word with it. (The
-- selects around the numbers and the limits of 1 are for the planner: no plan takes all of an author's, or all users.)
with recursive given as materialized (
    select
        websearch_to_tsquery('simple', public.fold_case(%(words)s)) as words,
        websearch_to_tsquery('simple', public.fold_case(%(others)s)) as others,
        phraseto_tsquery('simple', public.fold_case(%(start)s)) as start,
        (
            select string_agg(quote_literal(tag), ' & ')::tsquery
            from unnest(public.activity_tags(%(tags)s)) tag
        ) as tags
),
asked as materialized (
    select
        fit, -- what has to be there
        words,
        querytree(fit) not in ('', 'T') -- as of what only says what is not to be there
        and coalesce(char_length(%(start)s), 2) > 1 as has_index,
        %(handle)s::text is null as is_by_anyone,
        greatest(%(limit)s::integer, 100) as enough
    from (
        select words, case when numnode(all_of_it) > 0 then all_of_it end as fit
        from (
            select words, coalesce(asked && tags, asked, tags) as all_of_it
            from (
                select words, tags, coalesce(others && prefix, prefix, words) as asked
                from (
                    select *, case when numnode(start) > 0 then (start::text || ':*')::tsquery end as prefix
                    from given
                ) started
            ) worded
        ) tagged
    ) whole
),
walk as materialized (
    select uuid, created_at, fits, fits and lives as is_found
    from (
        select
            uuid,
            created_at,
            expires_at is null or expires_at > now() as lives,
            case
                when (select fit is not null from asked) then search @@ (select fit from asked)
                else strpos(public.fold_case(message), public.fold_case(%(text)s)) > 0
            end as fits
        from public.activities
        where (select is_by_anyone from asked)
        order by created_at desc, uuid desc
        limit 1000
    ) newest
),
walked as materialized (
    select
        goes_on and finds >= 20 as is_frequent,
        goes_on and finds < 20 and has_index and matches < 20 as is_rare,
        goes_on and finds < 20 and not (has_index and matches < 20) as is_hidden,
        least(enough * 1200 / greatest(finds, 1), 4000) as activities,
        seconds,
        enough
    from (
        select
            count(*) = 1000 and count(*) filter (where is_found) < enough as goes_on,
            count(*) filter (where fits) as matches,
            count(*) filter (where is_found) as finds,
            extract(epoch from now() - min(created_at)) as seconds,
            enough,
            has_index
        from walk
        cross join asked
        group by enough, has_index
    ) counted
),
more as materialized (
    select uuid, created_at
    from (
        select uuid, created_at, expires_at, search
        from public.activities
        where (select is_frequent from walked)
        order by created_at desc, uuid desc
        limit (select activities from walked)
    ) newest
    where (expires_at is null or expires_at > now())
        and search @@ (select fit from asked)
),
ladder as (
    select
        least(ceil(log(8, greatest(seconds * enough / 1600, 1))), 6)::integer as rung, -- of 2^(6 + 3 * rung) seconds; 6: all times
        null::uuid[] as uuids,
        0::bigint as seen
    from walked
    where is_rare
    union all
    select ladder.rung + 1, step.uuids, step.seen
    from ladder
    cross join lateral (
        -- A materialized part is planned as if all of it were wanted, which is by the index, and read only as far as it is.
        with fitting as materialized (
            select uuid, created_at, expires_at is null or expires_at > now() as lives
            from public.activities
            where search @@ (
                select
                    case
                        when ladder.rung = 6 then fit
                        else fit && ('''@' || k || ':' || n || ''' | ''@' || k || ':' || n - 1 || '''')::tsquery
                    end
                from asked
                cross join lateral (select 6 + 3 * ladder.rung as k) power
                cross join lateral (select floor(extract(epoch from now()) / (1 << k))::bigint as n) period
            )
        )
        select
            count(*) as seen,
            (array_agg(uuid order by created_at desc, uuid desc) filter (where lives))[:(select enough from asked)] as uuids
        from (select * from fitting limit 1000) looked
    ) step
    where ladder.rung <= 6
        and ladder.seen < 1000
        and coalesce(cardinality(ladder.uuids), 0) < (select enough from asked)
),
of_ladder as (
    select a.uuid, a.created_at
    from (
        select uuids
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
        where ((select is_hidden from walked) or (select max(seen) = 1000 from ladder))
            and reply_to_activity_uuid is null
            and public.lifetime_key(created_at, expires_at) > lifetime.since
            and public.lifetime_key(created_at, expires_at) < lifetime.until
            and coalesce(expires_at > now(), true)
        order by public.lifetime_key(created_at, expires_at) desc, uuid desc
        limit (select 500)
    ) newest
    where case
            when (select fit is not null from asked) then newest.search @@ (select fit from asked)
            else strpos(public.fold_case(newest.message), public.fold_case(%(text)s)) > 0
        end
),
authors as materialized (
    select uuid
    from public.users
    where public.fold_case(handle) collate "C" >= public.fold_case(%(handle)s)
        and public.fold_case(handle) collate "C" < public.fold_case(%(handle)s) || chr(1114111)
    order by public.fold_case(handle) collate "C"
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
            else coalesce(strpos(public.fold_case(newest.message), public.fold_case(%(text)s)) > 0, true)
        end
),
found as (
    select uuid, created_at from walk where is_found
    union
    select uuid, created_at from more
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
cross join lateral (
    select
        uuid,
        user_uuid,
        message,
        replies_count,
        reposts_count,
        likes_count,
        reply_to_activity_uuid,
        expires_at,
        created_at,
        search
    from public.activities
    where uuid = found.uuid
    limit 1
) a
cross join lateral (select display_name, handle from public.users where uuid = a.user_uuid limit 1) u
order by
    coalesce(ts_rank('{1, 1, 1, 1}', a.search, (select fit from asked)), 0)
    + case when a.search @@ (select words from asked) then 0.5 else 0 end
    + 0.5 / (1 + extract(epoch from now() - a.created_at) / 86400) desc,
    a.created_at desc,
    a.uuid desc
limit %(limit)s::integer
