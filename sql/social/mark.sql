-- Summary: a like or a repost: the row, the activity's count, and that its author is told
-- Cost: nothing
-- The caller likes or reposts an activity, or takes that back; the answer is the activity as it is then. A repeated request
-- changes no count.
-- %(kind)s: like or repost. %(uuid)s: the activity. %(on)s: true, or false to take it back. %(sub)s, %(handle)s, %(not_after)s: as in
-- activities/create.sql.
-- Outcomes: ok, not_found (no such activity, or it has expired), user_not_found, user_not_registered, user_suspended.
--
-- The activity is locked first, as in every statement that changes what belongs to it: such statements run one after the other, so
-- the counts are right, and a delete waits for the same lock. The lock is written to PostgreSQL's log, so that the transaction waits
-- for the standby even if nothing else is left to do.
with me as (
    select uuid from public.writer(%(sub)s, %(handle)s)
),
wanted as (
    select a as post
    from public.activities a
    where a.uuid = %(uuid)s::uuid
        and (a.expires_at is null or a.expires_at > now())
        and exists (select from me where not public.is_blocked(me.uuid, a.user_uuid))
    for no key update
),
timely as (
    select post, (post).uuid
    from wanted
    where public.is_timely(%(not_after)s)
        -- A block or a suspension may have been committed while the statement waited for the lock.
        and not public.is_blocked_now((select uuid from me), (post).user_uuid)
        and not public.is_suspended_now((select uuid from me))
),
liked as (
    insert into public.likes (user_uuid, activity_uuid)
    select me.uuid, timely.uuid
    from me
    cross join timely
    where %(on)s::boolean
        and %(kind)s = 'like'
    on conflict (user_uuid, activity_uuid) do update set activity_uuid = excluded.activity_uuid
    returning xmax = 0 as is_new
),
reposted as (
    insert into public.reposts (user_uuid, activity_uuid)
    select me.uuid, timely.uuid
    from me
    cross join timely
    where %(on)s::boolean
        and %(kind)s = 'repost'
    on conflict (user_uuid, activity_uuid) do update set activity_uuid = excluded.activity_uuid
    returning xmax = 0 as is_new
),
removed as (
    select public.take_back(%(kind)s, me.uuid, timely.uuid) as count
    from me
    cross join timely
    where not %(on)s::boolean
),
change as (
    select
        case when %(kind)s = 'like' then made - unmade else 0 end as likes,
        case when %(kind)s = 'repost' then made - unmade else 0 end as reposts
    from (select coalesce(sum(is_new::integer), 0)::integer as made from (table liked union all table reposted) added) added
    cross join (select coalesce(sum(count), 0)::integer as unmade from removed) taken
),
counted as (
    update public.activities a
    set likes_count = a.likes_count + change.likes, reposts_count = a.reposts_count + change.reposts
    from timely, change
    where a.uuid = timely.uuid
        and (change.likes, change.reposts) <> (0, 0)
),
answer as (
    select
        card.uuid,
        card.display_name,
        card.handle,
        card.message,
        card.replies_count,
        card.reposts_count + change.reposts as reposts_count,
        card.likes_count + change.likes as likes_count,
        card.reply_to_activity_uuid,
        card.expires_at,
        card.created_at,
        case when %(kind)s = 'like' then %(on)s::boolean else marks.liked end as liked,
        case when %(kind)s = 'repost' then %(on)s::boolean else marks.reposted end as reposted,
        '[]'::json as replies
    from timely
    cross join change
    cross join me
    cross join lateral public.author((timely.post).user_uuid) u
    cross join lateral public.card(timely.post, u.display_name, u.handle) card
    cross join lateral public.marks(me.uuid, true, timely.uuid) marks
)
select
    case
        when not exists (select from me) then public.missing_writer(%(sub)s, %(handle)s)
        when not exists (select from wanted) then 'not_found'
        when not exists (select from timely) then 'late'
        else 'ok'
    end as outcome,
    (select row_to_json(answer) from answer) as body,
    public.clock_us() as clock_us,
    pg_current_xact_id_if_assigned() as xid
