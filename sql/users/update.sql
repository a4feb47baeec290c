-- The caller's own profile. %(sub)s, %(handle)s: as in activities/create.sql.
-- Outcomes: ok, user_not_found, user_not_registered, generic_403.
with me as (
    select uuid, handle
    from public.users
    where cognito_user_id = %(sub)s
        or (%(sub)s is null and lower(handle) = lower(%(handle)s))
),
allowed as (
    select *
    from me
    where %(sub)s is null or %(handle)s is null or lower(handle) = lower(%(handle)s)
),
changed as (
    update public.users u
    set display_name = %(display_name)s, bio = %(bio)s
    from allowed
    where u.uuid = allowed.uuid
    returning u.uuid, u.handle, u.display_name, u.bio
)
select
    case
        when not exists (select from me) and %(sub)s is null then 'user_not_found'
        when not exists (select from me) then 'user_not_registered'
        when not exists (select from allowed) then 'generic_403'
        else 'ok'
    end as outcome,
    (select row_to_json(changed) from changed) as body
