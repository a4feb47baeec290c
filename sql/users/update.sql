-- Summary: name and bio
-- Cost: nothing
-- Changes the caller's own profile. %(bio)s: null leaves it as it is.
-- %(sub)s, %(handle)s, %(not_after)s: as in activities/create.sql.
-- Outcomes: ok, user_not_found, user_not_registered, user_suspended, generic_403.
with me as (
    select u.uuid, caller.is_allowed
    from public.writer(%(sub)s, %(handle)s) caller
    join public.users u on u.uuid = caller.uuid
    for no key update of u
),
allowed as (
    select * from me where is_allowed
),
timely as (
    select *
    from allowed
    where public.is_timely(%(not_after)s)
        and not public.is_suspended_now(allowed.uuid) -- the user may have been suspended, or have left, during the wait for the lock
),
changed as (
    update public.users u
    set display_name = %(display_name)s, bio = coalesce(%(bio)s, u.bio)
    from timely
    where u.uuid = timely.uuid
    returning u.uuid, u.handle, u.display_name, u.bio
)
select
    case
        when not exists (select from me) then public.missing_writer(%(sub)s, %(handle)s)
        when not exists (select from allowed) then 'generic_403'
        when exists (select from allowed) and not exists (select from timely) then 'late'
        else 'ok'
    end as outcome,
    (select row_to_json(changed) from changed) as body,
    public.clock_us() as clock_us,
    pg_current_xact_id_if_assigned() as xid
