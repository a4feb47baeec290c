-- Summary: how many of the notifications are new
-- Cost: the count ends at 100, and what of them expired since the last purge
-- How many rows of notifications.sql the caller has not marked as read; 100 stands for more, too.
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
        from public.notifications told
        left join lateral public.activity(told.activity_uuid) a on true
        where told.user_uuid <= me.uuid
            and (told.user_uuid, told.created_at) > (me.uuid, me.read_at)
            and public.is_live(a.expires_at)
            and not public.hides(me.uuid, me.has_hidden, told.actor_uuid)
        order by told.user_uuid, told.created_at, told.uuid
        limit (select 100)
    ) event
)
select
    case when exists (select from me) then 'ok' else public.missing_caller(%(sub)s) end as outcome,
    row_to_json(counted) as body
from (select count(*) as unread from unread) counted
