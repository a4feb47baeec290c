-- The caller's own profile. Outcomes: ok, user_not_found, user_not_registered.
with changed as (
    update public.users
    set display_name = %(display_name)s, bio = %(bio)s
    where cognito_user_id = %(sub)s
        or (%(sub)s is null and lower(handle) = lower(%(handle)s))
    returning uuid, handle, display_name, bio
)
select
    case
        when exists (select from changed) then 'ok'
        when %(sub)s is null then 'user_not_found'
        else 'user_not_registered'
    end as outcome,
    (select row_to_json(changed) from changed) as body
