drop function earlier_reposts(uuid, uuid, bigint, uuid, pg_snapshot);

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
        and not public.hides(follower, true, earlier.user_uuid)
$$;
revoke all on function earlier_reposts(uuid, uuid, timestamptz, uuid, pg_snapshot) from public;

do $$
begin
    if to_regrole('cruddur_app') is not null then
        grant execute on function earlier_reposts(uuid, uuid, timestamptz, uuid, pg_snapshot) to cruddur_app;
    end if;
end
$$;
