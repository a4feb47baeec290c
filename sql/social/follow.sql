-- The caller follows a user, or no longer does, and who that is.
-- %(followed)s: the user's handle. %(on)s: whether to follow. %(sub)s, %(handle)s: as in activities/create.sql.
-- Outcomes: ok, not_found, followed_is_follower, user_not_found, user_not_registered.
-- The lock is there to be written to PostgreSQL's log: see like.sql.
with me as (
    select uuid
    from public.users
    where cognito_user_id = %(sub)s
        or (%(sub)s is null and lower(handle) = lower(%(handle)s))
),
other as (
    select uuid, handle, display_name
    from public.users
    where lower(handle) = lower(%(followed)s)
        and exists (select from me)
    for key share
),
added as (
    insert into public.follows (follower_uuid, followed_uuid)
    select me.uuid, other.uuid
    from me
    join other on other.uuid <> me.uuid
    where %(on)s::boolean
    on conflict (follower_uuid, followed_uuid) do update set created_at = follows.created_at
),
removed as (
    delete from public.follows
    where not %(on)s::boolean
        and follower_uuid = (select uuid from me)
        and followed_uuid = (select uuid from other)
),
answer as (
    select uuid, handle, display_name, %(on)s::boolean as followed
    from other
)
select
    case
        when not exists (select from me) and %(sub)s is null then 'user_not_found'
        when not exists (select from me) then 'user_not_registered'
        when not exists (select from other) then 'not_found'
        when exists (select from other join me on me.uuid = other.uuid) then 'followed_is_follower'
        else 'ok'
    end as outcome,
    (select row_to_json(answer) from answer) as body
