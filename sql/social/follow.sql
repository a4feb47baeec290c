-- Summary: the row, and that the followed is told
-- Cost: what one follows, at most 5000, to count it
-- The caller follows a user, or no longer does; the answer has the user.
-- %(followed)s: the user's handle. %(on)s: whether to follow. %(most)s: how many others one may follow. %(sub)s, %(handle)s,
-- %(not_after)s: as in activities/create.sql.
-- Outcomes: ok, not_found, followed_is_follower, follows_exceed_max, user_not_found, user_not_registered, user_suspended.
-- The caller is locked first, so that a caller's follows and unfollows run one after the other. may_follow, is_blocked_now and take_back see
-- what was committed while the statement waited for the lock. The lock is written to PostgreSQL's log, see mark.sql.
with me as (
    select u.uuid
    from public.writer(%(sub)s, %(handle)s) caller
    join public.users u on u.uuid = caller.uuid
    for no key update of u
),
timely as (
    select *
    from me
    where public.is_timely(%(not_after)s)
        and not public.is_suspended_now(me.uuid) -- the user may have been suspended, or have left, during the wait for the lock
),
other as (
    select uuid, handle, display_name
    from public.users
    where folded_handle = public.fold_text(%(followed)s)
        and exists (select from me where not public.is_blocked_now(me.uuid, users.uuid))
),
allowed as (
    select true as is_it
    from me
    cross join other
    where not %(on)s::boolean
        or public.may_follow(me.uuid, other.uuid, %(most)s::integer)
),
added as (
    insert into public.follows (follower_uuid, followed_uuid)
    select timely.uuid, other.uuid
    from timely
    join other on other.uuid <> timely.uuid
    where %(on)s::boolean
        and exists (select from allowed)
    on conflict (follower_uuid, followed_uuid) do update set followed_uuid = excluded.followed_uuid
),
removed as (
    select public.take_back('follow', timely.uuid, other.uuid) as count
    from timely
    cross join other
    where not %(on)s::boolean
),
answer as (
    select other.uuid, other.handle, other.display_name, %(on)s::boolean as followed
    from other
    left join removed on true
)
select
    case
        when not exists (select from me) then public.missing_writer(%(sub)s, %(handle)s)
        when not exists (select from timely) then 'late'
        when not exists (select from other) then 'not_found'
        when exists (select from other join me on me.uuid = other.uuid) then 'followed_is_follower'
        when not exists (select from allowed) then 'follows_exceed_max'
        else 'ok'
    end as outcome,
    (select row_to_json(answer) from answer) as body,
    public.clock_us() as clock_us,
    pg_current_xact_id_if_assigned() as xid
