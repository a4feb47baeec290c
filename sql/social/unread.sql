-- Summary: how many of the notifications are new
-- Cost: the count ends at 100, and after 1000 notifications
-- How many rows of notifications.sql the caller has not marked as read; 100 stands for more, too. Only the newest unread notifications are
-- looked at (user_walk_rows in schema.sql), because any number of them may be by hidden users or of deleted activities.
-- %(sub)s, %(handle)s: as in activities/create.sql.
-- Outcomes: ok, user_not_found, user_not_registered.
with me as materialized (
    select
        caller.uuid,
        public.has_hidden(caller.uuid) as has_hidden,
        coalesce((select read_at from public.notification_reads where user_uuid = caller.uuid), '-infinity') as read_at
    from public.caller(%(sub)s, %(handle)s) caller
),
unread as (
    select
    from me
    cross join lateral (
        select
        from (
            select actor_uuid, activity_uuid
            from public.notifications
            where user_uuid <= me.uuid
                and (user_uuid, created_at) > (me.uuid, me.read_at)
            order by user_uuid desc, created_at desc, uuid desc
            limit public.user_walk_rows()
        ) told
        left join lateral public.activity(told.activity_uuid) a on true
        where public.is_live(a.expires_at)
            and not public.hides(me.uuid, me.has_hidden, told.actor_uuid)
        limit (select 100)
    ) event
)
select
    case when exists (select from me) then 'ok' else public.missing_caller(%(sub)s) end as outcome,
    row_to_json(counted) as body
from (select count(*) as unread from unread) counted
