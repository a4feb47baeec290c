-- Indexes in which what has expired is stepped over at once, see doc/sql.md. They are made in the migration's transaction, so
-- that writes wait for them: some seconds for a million rows.
-- How long posts live: at most this long, each as long as the service offers (src/api/rules.c). Of those of one lifetime the
-- later ones expire later, so that what is left of them lies together in an index by lifetime and time, however many have
-- expired. Both functions know the list.

-- Where an activity stands in such an index: 10^18 for each lifetime, and the microseconds since 1970 (exact until 2106).
create function lifetime_key(created_at timestamptz, expires_at timestamptz) returns bigint
    language sql
    immutable
    parallel safe
as $$
    select
        case
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

-- For each lifetime its zero in such an index, and the keys between which everything is that may not have expired. (The
-- eighth is for what lives longer, or for ever; there, and of what was made to live for another time than these, some may
-- have expired.)
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
revoke all on function lifetime_key(timestamptz, timestamptz), lifetimes() from public;

create index activities_live_idx on activities (lifetime_key(created_at, expires_at), uuid) where reply_to_activity_uuid is null;
create index activities_user_live_idx
    on activities (user_uuid, (reply_to_activity_uuid is null), lifetime_key(created_at, expires_at), uuid);

do $$
begin
    if to_regrole('cruddur_app') is not null then
        grant execute on function lifetime_key(timestamptz, timestamptz), lifetimes() to cruddur_app;
    end if;
end
$$;
