-- The caller likes an activity, or takes that back, and the activity as it is then. What is so already
-- is not counted again.
-- %(uuid)s: the activity. %(on)s: whether it is to be liked. %(sub)s, %(handle)s: as in activities/create.sql.
-- Outcomes: ok, not_found (no such activity, or it has expired), user_not_found, user_not_registered.
--
-- The activity is locked first, as in every statement that changes what hangs on it: one after the other, counts are right,
-- and whoever deletes it waits at the same place. The lock is written to PostgreSQL's log, so that there is something to
-- wait for the standby with, even where nothing is left to do.
with me as (
    select uuid
    from public.users
    where cognito_user_id = %(sub)s
        or (%(sub)s is null and lower(handle) = lower(%(handle)s))
),
wanted as (
    select
        uuid,
        user_uuid,
        message,
        replies_count,
        reposts_count,
        likes_count,
        reply_to_activity_uuid,
        expires_at,
        created_at
    from public.activities
    where uuid = %(uuid)s::uuid
        and (expires_at is null or expires_at > now())
        and exists (select from me)
    for no key update
),
added as (
    insert into public.likes (user_uuid, activity_uuid)
    select me.uuid, wanted.uuid
    from me
    cross join wanted
    where %(on)s::boolean
    on conflict (user_uuid, activity_uuid) do update set created_at = likes.created_at
    returning xmax = 0 as is_new
),
removed as (
    delete from public.likes
    where not %(on)s::boolean
        and user_uuid = (select uuid from me)
        and activity_uuid = (select uuid from wanted)
    returning activity_uuid
),
change as (
    select (select count(*) from added where is_new)::integer - (select count(*) from removed)::integer as count
),
counted as (
    update public.activities a
    set likes_count = a.likes_count + change.count
    from wanted, change
    where a.uuid = wanted.uuid
        and change.count <> 0
),
answer as (
    select
        wanted.uuid,
        author.display_name,
        author.handle,
        wanted.message,
        wanted.replies_count,
        wanted.reposts_count,
        wanted.likes_count + change.count as likes_count,
        wanted.reply_to_activity_uuid,
        wanted.expires_at,
        wanted.created_at,
        %(on)s::boolean as liked,
        exists (select from public.reposts where user_uuid = me.uuid and activity_uuid = wanted.uuid) as reposted,
        '[]'::json as replies
    from wanted
    cross join change
    cross join me
    join public.users author on author.uuid = wanted.user_uuid
)
select
    case
        when not exists (select from me) and %(sub)s is null then 'user_not_found'
        when not exists (select from me) then 'user_not_registered'
        when not exists (select from wanted) then 'not_found'
        else 'ok'
    end as outcome,
    (select row_to_json(answer) from answer) as body
