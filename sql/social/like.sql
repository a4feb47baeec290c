-- Summary: the row, the activity's count, and that its author is told
-- Cost: nothing
-- The caller likes an activity, or takes that back, and the activity as it is then. What is so already
-- is not counted again.
-- %(uuid)s: the activity. %(on)s: whether it is to be liked. %(sub)s, %(handle)s, %(not_after)s: as in
-- activities/create.sql.
-- Outcomes: ok, not_found (no such activity, or it has expired), user_not_found, user_not_registered.
--
-- The activity is locked first, as in every statement that changes what hangs on it: one after the other, counts are right,
-- and whoever deletes it waits at the same place. The lock is written to PostgreSQL's log, so that there is something to
-- wait for the standby with, even where nothing is left to do.
with me as (
    select uuid
    from public.users
    where cognito_user_id = %(sub)s
        or (%(sub)s is null and folded_handle = public.fold_text(%(handle)s))
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
timely as (
    select *
    from wanted
    where clock_timestamp() < 'epoch'::timestamptz + %(not_after)s::bigint * interval '1 microsecond'
),
added as (
    insert into public.likes (user_uuid, activity_uuid)
    select me.uuid, timely.uuid
    from me
    cross join timely
    where %(on)s::boolean
    on conflict (user_uuid, activity_uuid) do update set activity_uuid = excluded.activity_uuid
    returning xmax = 0 as is_new
),
removed as (
    select public.take_back('like', me.uuid, timely.uuid) as count
    from me
    cross join timely
    where not %(on)s::boolean
),
change as (
    select (select count(*) from added where is_new)::integer - coalesce((select count from removed), 0) as count
),
counted as (
    update public.activities a
    set likes_count = a.likes_count + change.count
    from timely, change
    where a.uuid = timely.uuid
        and change.count <> 0
),
answer as (
    select
        timely.uuid,
        author.display_name,
        author.handle,
        timely.message,
        timely.replies_count,
        timely.reposts_count,
        timely.likes_count + change.count as likes_count,
        timely.reply_to_activity_uuid,
        timely.expires_at,
        timely.created_at,
        %(on)s::boolean as liked,
        exists (select from public.reposts where user_uuid = me.uuid and activity_uuid = timely.uuid) as reposted,
        '[]'::json as replies
    from timely
    cross join change
    cross join me
    join public.users author on author.uuid = timely.user_uuid
)
select
    case
        when not exists (select from me) and %(sub)s is null then 'user_not_found'
        when not exists (select from me) then 'user_not_registered'
        when not exists (select from wanted) then 'not_found'
        when exists (select from wanted) and not exists (select from timely) then 'late'
        else 'ok'
    end as outcome,
    (select row_to_json(answer) from answer) as body,
    (extract(epoch from clock_timestamp()) * 1000000)::bigint as clock_us
