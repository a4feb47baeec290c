-- Lists walk along a bounded number of rows, expired ones included: the purge takes those away within seconds. The indexes by lifetime
-- and the functions behind them go, and a user's posts and replies are found by one index. follows_newest_idx does what
-- follows_followed_idx did.
drop index activities_live_idx, activities_user_live_idx, activities_user_idx, follows_followed_idx;
create index activities_user_idx on activities (user_uuid, (reply_to_activity_uuid is null), created_at, uuid);

create function edge_key(edge timestamptz, after_us bigint) returns text
    language sql
    stable
    parallel safe
as $$
    select
        case when edge > '-infinity' then
            public.page_key(edge - (edge >= public.page_time(after_us))::integer * interval '1 microsecond', public.page_uuid(null))
        end
$$;

create function walk_rows() returns integer
    language sql
    immutable
    parallel safe
as $$
    select 5000
$$;

create function user_walk_rows() returns integer
    language sql
    immutable
    parallel safe
as $$
    select 1000
$$;

create function user_posts(author uuid, after_us bigint, after_uuid uuid, since timestamptz, most integer) returns setof activities
    language sql
    stable
as $$
    select *
    from public.activities
    where (user_uuid, reply_to_activity_uuid is null, created_at, uuid)
            < (author, true, public.page_time(after_us), public.page_uuid(after_uuid))
        and (user_uuid, reply_to_activity_uuid is null, created_at) >= (author, true, since)
    order by user_uuid desc, reply_to_activity_uuid is null desc, created_at desc, uuid desc
    limit most
$$;

create function user_replies(author uuid, after_us bigint, after_uuid uuid, most integer) returns setof activities
    language sql
    stable
as $$
    select *
    from public.activities
    where (user_uuid, reply_to_activity_uuid is null, created_at, uuid)
            < (author, false, public.page_time(after_us), public.page_uuid(after_uuid))
        and user_uuid >= author
    order by user_uuid desc, reply_to_activity_uuid is null desc, created_at desc, uuid desc
    limit most
$$;

create function user_reposts(reposter uuid, after_us bigint, after_uuid uuid, since timestamptz, most integer)
    returns table (at timestamptz, id uuid, activity_uuid uuid)
    language sql
    stable
as $$
    select r.created_at, public.event_uuid('repost', r.user_uuid, r.activity_uuid), r.activity_uuid
    from public.reposts r
    where (r.user_uuid, r.created_at) >= (reposter, since)
        and (r.user_uuid, r.created_at) <= (reposter, public.page_time(after_us))
        and (
            r.created_at < public.page_time(after_us)
            or public.event_uuid('repost', r.user_uuid, r.activity_uuid) < public.page_uuid(after_uuid)
        )
    order by r.user_uuid desc, r.created_at desc
    fetch first (most) rows with ties
$$;

create function reposts_before(after_us bigint, after_uuid uuid, most integer)
    returns table (at timestamptz, id uuid, activity_uuid uuid, user_uuid uuid)
    language sql
    stable
as $$
    select r.created_at, public.event_uuid('repost', r.user_uuid, r.activity_uuid), r.activity_uuid, r.user_uuid
    from public.reposts r
    where r.created_at <= public.page_time(after_us)
        and (
            r.created_at < public.page_time(after_us)
            or public.event_uuid('repost', r.user_uuid, r.activity_uuid) < public.page_uuid(after_uuid)
        )
    order by r.created_at desc
    fetch first (most) rows with ties
$$;

create function events_before(after_us bigint, after_uuid uuid, most integer)
    returns table (user_uuid uuid, is_repost boolean, at timestamptz, id uuid, activity_uuid uuid, expires_at timestamptz)
    language sql
    stable
as $$
    select a.user_uuid, false, a.created_at as at, a.uuid, a.uuid, a.expires_at
    from public.posts_before(after_us, after_uuid, most) a
    union all
    select r.user_uuid, true, r.at, r.id, r.activity_uuid, null
    from public.reposts_before(after_us, after_uuid, most) r
    order by at desc
    limit most
$$;

create function user_events(author uuid, is_repost boolean, after_us bigint, after_uuid uuid, since timestamptz, most integer)
    returns table (at timestamptz, id uuid, activity_uuid uuid, expires_at timestamptz)
    language sql
    stable
as $$
    select a.created_at as at, a.uuid, a.uuid, a.expires_at
    from public.user_posts(author, after_us, after_uuid, since, most) a
    where not is_repost
    union all
    select r.at, r.id, r.activity_uuid, a.expires_at
    from public.user_reposts(author, after_us, after_uuid, since, most) r
    cross join lateral public.activity(r.activity_uuid) a
    where is_repost
$$;

create function heads(follower uuid, after_us bigint, after_uuid uuid, most integer)
    returns table (user_uuid uuid, is_repost boolean, at timestamptz, last_at timestamptz)
    language sql
    stable
as $$
    select f.followed_uuid, kind.is_repost, case when head.is_live then head.at end, case when not head.is_live then head.at end
    from (select followed_uuid from public.follows where follower_uuid = follower limit 1000) f
    cross join (values (false), (true)) kind (is_repost)
    left join lateral (
        select event.at, event.is_live
        from (
            select newest.at, public.is_live(newest.expires_at) as is_live, row_number() over () as number
            from public.user_events(f.followed_uuid, kind.is_repost, after_us, after_uuid, '-infinity', most) newest
        ) event
        where event.is_live
            or event.number >= most
        limit 1
    ) head on true
$$;

create function earlier_reposts(activity uuid, follower uuid, at timestamptz, id uuid, view pg_snapshot) returns table (user_uuid uuid)
    language sql
    stable
as $$
    select earlier.user_uuid
    from (
        select user_uuid, created_at, written_by
        from public.reposts
        where activity_uuid = activity
            and created_at >= at
        order by created_at desc
        limit 100
    ) earlier
    where (view is null or public.was_seen(earlier.written_by, view))
        and (earlier.created_at, public.event_uuid('repost', earlier.user_uuid, activity)) >= (at, id)
        and (select true from public.follows where follower_uuid = follower and followed_uuid = earlier.user_uuid)
$$;

create function fits(search tsvector, message text, fit tsquery, plain text) returns boolean
    language sql
    immutable
    parallel safe
as $$
    select case when fit is not null then search @@ fit else strpos(translate(message, U&'\FE0E\FE0F', ''), plain) > 0 end
$$;

create function search_step(loose tsquery, fit tsquery, rung integer, enough integer) returns table (uuids uuid[], seen bigint)
    language sql
    stable
    rows 1
as $$
    with candidates as materialized (
        select uuid, created_at, expires_at, search
        from public.activities
        where search @@ (
            select
                case
                    when rung = 4 then loose
                    else loose && ('''@' || k || ':' || n || ''' | ''@' || k || ':' || n - 1 || '''')::tsquery
                end
            from (select 12 + 3 * rung as k) power
            cross join lateral (select floor(extract(epoch from now()) / (1 << k))::bigint as n) period
        )
    )
    select
        coalesce(
            (array_agg(uuid order by created_at desc, uuid desc) filter (where public.is_live(expires_at) and search @@ fit))[:enough],
            '{}'
        ),
        count(*)
    from (select * from candidates limit 1000) looked
$$;

create or replace function profile(name text, viewer uuid, is_asked boolean) returns table (
    uuid uuid, cognito_user_uuid text, handle text, display_name text, bio text, cruds_count bigint, followed boolean
)
    language sql
    stable
    rows 1
as $$
    select
        u.uuid,
        u.cognito_user_id,
        u.handle,
        u.display_name,
        u.bio,
        (
            select count(*)
            from public.user_posts(u.uuid, null, null, '-infinity', public.user_walk_rows()) a
            where public.is_live(a.expires_at)
        ),
        case when is_asked then coalesce((select true from public.follows where follower_uuid = viewer and followed_uuid = u.uuid), false) end
    from public.users u
    where u.folded_handle = public.fold_text(name)
$$;

create or replace function full_hour(author uuid, most integer) returns table (retry_after_s integer)
    language sql
    stable
    rows 1
as $$
    select greatest(ceil(extract(epoch from nth.created_at + interval '1 hour' - now())), 1)::integer
    from (
        select created_at
        from public.activities
        where user_uuid = author
            and reply_to_activity_uuid is null
            and created_at > now() - interval '1 hour'
            and created_at <= now()
        union all
        select created_at
        from public.activities
        where user_uuid = author
            and (reply_to_activity_uuid is null) is false
            and created_at > now() - interval '1 hour'
            and created_at <= now()
        order by created_at desc
        offset greatest(most - 1, 0)
        limit 1
    ) nth
    where most > 0
$$;

create or replace function recent_twin(
    author uuid, parent uuid, text text, lifetime interval, seconds integer, is_locked boolean
) returns uuid
    language plpgsql
as $$
begin
    if parent is not null then
        return (
            select uuid
            from public.activities
            where user_uuid = author
                and (reply_to_activity_uuid is null) is false
                and created_at > now() - seconds * interval '1 second'
                and message = text
                and reply_to_activity_uuid = parent
                and deleted_at is null
            limit 1
        );
    end if;
    return (
        select uuid
        from public.user_posts(author, null, null, now() - seconds * interval '1 second', null)
        where message = text
            and deleted_at is null
            and coalesce(first_expires_at, expires_at) is not distinct from created_at + lifetime
        limit 1
    );
end
$$;

drop function live_posts(uuid, bigint, uuid, integer), lifetimes(), lifetime_key(timestamptz, timestamptz);

revoke all on function edge_key(timestamptz, bigint), walk_rows(), user_walk_rows(), user_posts(uuid, bigint, uuid, timestamptz, integer),
    user_replies(uuid, bigint, uuid, integer), user_reposts(uuid, bigint, uuid, timestamptz, integer),
    reposts_before(bigint, uuid, integer), events_before(bigint, uuid, integer),
    user_events(uuid, boolean, bigint, uuid, timestamptz, integer), heads(uuid, bigint, uuid, integer),
    earlier_reposts(uuid, uuid, timestamptz, uuid, pg_snapshot), fits(tsvector, text, tsquery, text),
    search_step(tsquery, tsquery, integer, integer) from public;

do $$
begin
    if to_regrole('cruddur_app') is not null then
        grant execute on function edge_key(timestamptz, bigint), walk_rows(), user_walk_rows(), user_posts(uuid, bigint, uuid, timestamptz, integer),
            user_replies(uuid, bigint, uuid, integer), user_reposts(uuid, bigint, uuid, timestamptz, integer),
            reposts_before(bigint, uuid, integer), events_before(bigint, uuid, integer),
            user_events(uuid, boolean, bigint, uuid, timestamptz, integer), heads(uuid, bigint, uuid, integer),
            earlier_reposts(uuid, uuid, timestamptz, uuid, pg_snapshot), fits(tsvector, text, tsquery, text),
            search_step(tsquery, tsquery, integer, integer) to cruddur_app;
    end if;
end
$$;
