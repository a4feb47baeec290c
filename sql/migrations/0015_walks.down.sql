create function lifetime_key(created_at timestamptz, expires_at timestamptz) returns bigint
    language sql
    immutable
    parallel safe
as $$
    select
        case
            when expires_at = '-infinity' then 0 -- deleted: in no list
            when not (isfinite(created_at) and isfinite(expires_at)) then 8
            when expires_at - created_at <= interval '1 hour' then 1
            when expires_at - created_at <= interval '3 hours' then 2
            when expires_at - created_at <= interval '12 hours' then 3
            when expires_at - created_at <= interval '1 day' then 4
            when expires_at - created_at <= interval '3 days' then 5
            when expires_at - created_at <= interval '7 days' then 6
            when expires_at - created_at <= interval '30 days' then 7
            else 8
        end * 1000000000000000000
        + case
            when created_at > timestamptz '20000-01-01 00:00:00+00' then 700000000000000000
            when created_at > '-infinity' then (date_part('epoch', created_at - timestamptz 'epoch') * 1000000)::bigint
            else -300000000000000000
        end
$$;

create function lifetimes() returns table (zero bigint, since bigint, until bigint)
    language sql
    stable
    parallel safe
    rows 8
as $$
    select
        number * 1000000000000000000,
        number * 1000000000000000000
        + coalesce((date_part('epoch', now() - length - timestamptz 'epoch') * 1000000)::bigint, -400000000000000000),
        number * 1000000000000000000 + 700000000000000001
    from (
        values
            (1, interval '1 hour'), (2, '3 hours'), (3, '12 hours'), (4, '1 day'), (5, '3 days'), (6, '7 days'), (7, '30 days'),
            (8, null)
    ) lifetime (number, length)
$$;

create function live_posts(author uuid, after_us bigint, after_uuid uuid, most integer) returns setof activities
    language sql
    stable
as $$
    select newest.*
    from public.lifetimes() lifetime
    cross join lateral (
        select *
        from public.activities
        where user_uuid = author
            and reply_to_activity_uuid is null
            and public.lifetime_key(created_at, expires_at) > lifetime.since
            and (public.lifetime_key(created_at, expires_at), uuid) < (
                coalesce(lifetime.zero + after_us, lifetime.until),
                public.page_uuid(after_uuid)
            )
            and public.is_live(expires_at)
        order by public.lifetime_key(created_at, expires_at) desc, uuid desc
        limit (select most)
    ) newest
$$;
revoke all on function lifetime_key(timestamptz, timestamptz), lifetimes(), live_posts(uuid, bigint, uuid, integer) from public;

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
        (select count(*) from (select from public.live_posts(u.uuid, null, null, 1000) limit 1000) counted),
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
    return (
        select uuid
        from public.activities
        where user_uuid = author
            and created_at > now() - seconds * interval '1 second'
            and message = text
            and reply_to_activity_uuid is not distinct from parent
            and deleted_at is null
            and (parent is not null or coalesce(first_expires_at, expires_at) is not distinct from created_at + lifetime)
        limit 1
    );
end
$$;

drop function edge_key(timestamptz, bigint), walk_rows(), user_walk_rows(), user_posts(uuid, bigint, uuid, timestamptz, integer),
    user_replies(uuid, bigint, uuid, integer), user_reposts(uuid, bigint, uuid, timestamptz, integer),
    reposts_before(bigint, uuid, integer), events_before(bigint, uuid, integer),
    user_events(uuid, boolean, bigint, uuid, timestamptz, integer), heads(uuid, bigint, uuid, integer),
    earlier_reposts(uuid, uuid, timestamptz, uuid, pg_snapshot), fits(tsvector, text, tsquery, text),
    search_step(tsquery, tsquery, integer, integer);

drop index activities_user_idx;
create index activities_user_idx on activities (user_uuid, created_at desc, uuid desc);
create index activities_live_idx on activities (lifetime_key(created_at, expires_at), uuid) where reply_to_activity_uuid is null;
create index activities_user_live_idx
    on activities (user_uuid, (reply_to_activity_uuid is null), lifetime_key(created_at, expires_at), uuid);
create index follows_followed_idx on follows (followed_uuid, follower_uuid);

do $$
begin
    if to_regrole('cruddur_app') is not null then
        grant execute on function lifetime_key(timestamptz, timestamptz), lifetimes(), live_posts(uuid, bigint, uuid, integer) to cruddur_app;
    end if;
end
$$;
