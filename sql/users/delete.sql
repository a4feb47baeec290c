-- Summary: the end of the caller's account
-- Cost: nothing; the purge takes the rows away
-- Ends the caller's own account: no token and no handle belongs to the user any more. depart in schema.sql does what is done at
-- once, purge_departures what follows. A repeated request within the next hour gets the same answer.
-- %(handle)s: the caller's own, repeated. %(sub)s, %(not_after)s: as in activities/create.sql. A suspended user may leave, too.
-- Outcomes: ok, user_not_found, user_not_registered, user_handle_mismatch.
with me as (
    select u.uuid, caller.is_allowed
    from public.caller(%(sub)s, %(handle)s) caller
    join public.users u on u.uuid = caller.uuid
    for update of u
),
allowed as (
    select * from me where is_allowed
),
timely as (
    select *
    from allowed
    where public.is_timely(%(not_after)s)
),
gone as (
    select uuid
    from timely
    where public.depart(uuid)
    union all
    select departed.uuid
    from (select public.departed(%(sub)s, %(handle)s) as uuid where not exists (select from me)) departed
    where departed.uuid is not null
)
select
    case
        when exists (select from gone) then 'ok'
        when not exists (select from me) then public.missing_caller(%(sub)s)
        when not exists (select from allowed) then 'user_handle_mismatch'
        else 'late'
    end as outcome,
    (select row_to_json(gone) from gone) as body,
    public.clock_us() as clock_us,
    pg_current_xact_id_if_assigned() as xid
