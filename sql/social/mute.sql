-- Summary: the row
-- Cost: what one mutes, at most 5000, to count it
-- The caller mutes a user, or no longer does; the answer has the user. The user is not notified.
-- %(muted)s: the user's handle. %(on)s: whether to mute. %(most)s: how many others one may mute. %(sub)s, %(handle)s, %(not_after)s:
-- as in activities/create.sql.
-- Outcomes: ok, not_found, muted_is_muter, mutes_exceed_max, user_not_found, user_not_registered, user_suspended.
-- The caller is locked first, as in follow.sql.
with me as (
    select u.uuid
    from public.writer(%(sub)s, %(handle)s) caller
    join public.users u on u.uuid = caller.uuid
    for no key update of u
),
other as (
    select uuid, handle, display_name
    from public.users
    where folded_handle = public.fold_text(%(muted)s)
        and exists (select from me)
),
timely as (
    select me.uuid
    from me
    where public.is_timely(%(not_after)s)
        and not public.is_suspended_now(me.uuid) -- as in follow.sql
),
allowed as (
    select true as is_it
    from timely
    cross join other
    where not %(on)s::boolean
        or public.may_hide('mute', timely.uuid, other.uuid, %(most)s::integer)
),
added as (
    insert into public.mutes (user_uuid, muted_uuid)
    select timely.uuid, other.uuid
    from timely
    join other on other.uuid <> timely.uuid
    where %(on)s::boolean
        and exists (select from allowed)
    on conflict (user_uuid, muted_uuid) do update set muted_uuid = excluded.muted_uuid
),
removed as (
    select public.take_back('mute', timely.uuid, other.uuid) as count
    from timely
    cross join other
    where not %(on)s::boolean
),
answer as (
    select other.uuid, other.handle, other.display_name, %(on)s::boolean as muted
    from other
    left join removed on true
)
select
    case
        when not exists (select from me) then public.missing_writer(%(sub)s, %(handle)s)
        when not exists (select from timely) then 'late'
        when not exists (select from other) then 'not_found'
        when exists (select from other join me on me.uuid = other.uuid) then 'muted_is_muter'
        when not exists (select from allowed) then 'mutes_exceed_max'
        else 'ok'
    end as outcome,
    (select row_to_json(answer) from answer) as body,
    public.clock_us() as clock_us,
    pg_current_xact_id_if_assigned() as xid
