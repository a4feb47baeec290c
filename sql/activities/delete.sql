-- Ends an activity of the caller's own, its replies with it and all that others did with them; a reply is taken off its
-- parent's count.
-- Outcomes: ok, not_found, not_yours, user_not_found, user_not_registered.
-- From the top of the thread downwards, as everywhere: what a reply hangs on is locked before it.
with me as (
    select uuid
    from public.users
    where cognito_user_id = %(sub)s
        or (%(sub)s is null and lower(handle) = lower(%(handle)s))
),
wanted as (
    select uuid, user_uuid, reply_to_activity_uuid
    from public.activities
    where uuid = %(uuid)s::uuid
        and (expires_at is null or expires_at > now())
),
parent as (
    select uuid
    from public.activities
    where uuid = (
        select wanted.reply_to_activity_uuid
        from wanted
        join me on me.uuid = wanted.user_uuid
    )
    for no key update
),
gone as (
    delete from public.activities a
    using me, wanted
    where a.uuid = wanted.uuid
        and a.user_uuid = me.uuid
        and (wanted.reply_to_activity_uuid is null or exists (select from parent))
    returning a.uuid, a.reply_to_activity_uuid
),
counted as (
    update public.activities a
    set replies_count = a.replies_count - 1
    from gone
    where a.uuid = gone.reply_to_activity_uuid
        and a.replies_count > 0
)
select
    case
        when not exists (select from me) and %(sub)s is null then 'user_not_found'
        when not exists (select from me) then 'user_not_registered'
        when exists (select from gone) then 'ok'
        when exists (select from wanted, me where wanted.user_uuid <> me.uuid) then 'not_yours'
        else 'not_found'
    end as outcome,
    (select row_to_json(answer) from (select uuid from gone) answer) as body
