-- Summary: the row, and the end of follows between the two
-- Cost: what one blocks, at most 5000, to count it
-- The caller blocks a user, or no longer does; the answer has the user. After a block, neither follows the other.
-- %(blocked)s: the user's handle. %(on)s: whether to block. %(most)s: how many others one may block. %(sub)s, %(handle)s, %(not_after)s:
-- as in activities/create.sql.
-- Outcomes: ok, not_found, blocked_is_blocker, blocks_exceed_max, user_not_found, user_not_registered, user_suspended.
-- Both users are locked first, because a follow locks the follower (follow.sql): take_back ends a concurrent follow, or it is refused.
with me as (
    select uuid from public.writer(%(sub)s, %(handle)s)
),
other as (
    select uuid, handle, display_name
    from public.users
    where folded_handle = public.fold_text(%(blocked)s)
        and exists (select from me)
),
held as materialized (
    select u.uuid
    from public.users u
    where u.uuid in (select uuid from me union all select uuid from other)
    order by u.uuid
    for no key update
),
timely as (
    select me.uuid
    from me
    where public.is_timely(%(not_after)s)
        and (select count(*) from held) > 0
        and not public.is_suspended_now(me.uuid) -- as in follow.sql
),
allowed as (
    select true as is_it
    from timely
    cross join other
    where not %(on)s::boolean
        or public.may_hide('block', timely.uuid, other.uuid, %(most)s::integer)
),
added as (
    insert into public.blocks (user_uuid, blocked_uuid)
    select timely.uuid, other.uuid
    from timely
    join other on other.uuid <> timely.uuid
    where %(on)s::boolean
        and exists (select from allowed)
    on conflict (user_uuid, blocked_uuid) do update set blocked_uuid = excluded.blocked_uuid
),
removed as (
    select public.take_back('block', timely.uuid, other.uuid) as count
    from timely
    cross join other
    where not %(on)s::boolean
),
unfollowed as (
    select public.take_back('follow', timely.uuid, other.uuid) + public.take_back('follow', other.uuid, timely.uuid) as count
    from timely
    join other on other.uuid <> timely.uuid
    where %(on)s::boolean
        and exists (select from allowed)
),
answer as (
    select other.uuid, other.handle, other.display_name, %(on)s::boolean as blocked
    from other
    left join removed on true
    left join unfollowed on true
)
select
    case
        when not exists (select from me) then public.missing_writer(%(sub)s, %(handle)s)
        when not exists (select from timely) then 'late'
        when not exists (select from other) then 'not_found'
        when exists (select from other join me on me.uuid = other.uuid) then 'blocked_is_blocker'
        when not exists (select from allowed) then 'blocks_exceed_max'
        else 'ok'
    end as outcome,
    (select row_to_json(answer) from answer) as body,
    public.clock_us() as clock_us,
    pg_current_xact_id_if_assigned() as xid
