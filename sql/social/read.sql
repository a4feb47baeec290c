-- Summary: up to when the caller knows it
-- Cost: nothing
-- Marks the caller's notifications up to %(until_us)s as read, in microseconds since 1970; null: all. What is read stays read.
-- The mark never passes the newest notification that this statement sees: a notification that becomes visible later has a later
-- created_at (see next_notification_at in schema.sql) and is unread.
-- %(sub)s, %(handle)s, %(not_after)s: as in activities/create.sql.
-- Outcomes: ok, user_not_found, user_not_registered, generic_403.
with me as (
    select u.uuid, caller.is_allowed
    from public.caller(%(sub)s, %(handle)s) caller
    join public.users u on u.uuid = caller.uuid
    for no key update of u
),
allowed as (
    select * from me where is_allowed
),
timely as (
    select *
    from allowed
    where public.is_timely(%(not_after)s)
),
noted as (
    insert into public.notification_reads (user_uuid, read_at)
    select
        uuid,
        least(
            'epoch'::timestamptz + %(until_us)s::bigint * interval '1 microsecond',
            greatest(
                (
                    select created_at
                    from public.notifications told
                    where told.user_uuid = timely.uuid
                    order by created_at desc, uuid desc
                    limit 1
                ),
                (select max(created_at) from public.withdrawn_notifications gone where gone.user_uuid = timely.uuid),
                'epoch'
            )
        )
    from timely
    on conflict (user_uuid) do update set read_at = greatest(notification_reads.read_at, excluded.read_at)
    returning read_at
)
select
    case
        when not exists (select from me) then public.missing_caller(%(sub)s)
        when not exists (select from allowed) then 'generic_403'
        when exists (select from allowed) and not exists (select from timely) then 'late'
        else 'ok'
    end as outcome,
    (select row_to_json(noted) from noted) as body,
    public.clock_us() as clock_us,
    pg_current_xact_id_if_assigned() as xid
