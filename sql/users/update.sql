-- Summary: name and bio
-- Cost: nothing
-- The caller's own profile. %(bio)s: null leaves it as it is. %(sub)s, %(handle)s, %(not_after)s: as in activities/create.sql.
-- Outcomes: ok, user_not_found, user_not_registered, generic_403.
with me as (
    select uuid, handle
    from public.users
    where cognito_user_id = %(sub)s
        or (%(sub)s is null and folded_handle = public.fold_text(%(handle)s))
    for no key update
),
allowed as (
    select *
    from me
    where %(sub)s is null or %(handle)s is null or public.fold_text(handle) = public.fold_text(%(handle)s)
),
timely as (
    select *
    from allowed
    where clock_timestamp() < 'epoch'::timestamptz + %(not_after)s::bigint * interval '1 microsecond'
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
        when not exists (select from me) and %(sub)s is null then 'user_not_found'
        when not exists (select from me) then 'user_not_registered'
        when not exists (select from allowed) then 'generic_403'
        when exists (select from allowed) and not exists (select from timely) then 'late'
        else 'ok'
    end as outcome,
    (select row_to_json(changed) from changed) as body,
    (extract(epoch from clock_timestamp()) * 1000000)::bigint as clock_us
