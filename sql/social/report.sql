-- Summary: a report for the operators, with a copy of what was reported
-- Cost: its reporter's reports of the last hour, at most as many as one may make (20)
-- The caller reports an activity of another user, once: a repeated report changes nothing, even if the first one is resolved.
-- %(uuid)s: the activity. %(reason)s: why. %(most)s: how many reports the caller may make within an hour; 0: any number. %(sub)s,
-- %(handle)s, %(not_after)s: as in activities/create.sql.
-- Outcomes: ok, not_found (no such activity, or it has expired), reported_is_reporter (the caller's own), reports_exceed_hourly_max,
-- user_not_found, user_not_registered, user_suspended, generic_403.
with me as (
    select * from public.writer(%(sub)s, %(handle)s)
),
allowed as (
    select * from me where is_allowed
),
timely as (
    select *
    from allowed
    where public.is_timely(%(not_after)s)
),
wanted as (
    select a.uuid, a.user_uuid, a.message
    from allowed
    cross join lateral public.activity(%(uuid)s::uuid) a
    where public.is_live(a.expires_at)
),
full_hour as (
    select public.retry_after_s('reports', allowed.uuid, %(most)s) as retry_after_s
    from allowed
),
reported as (
    insert into public.reports (activity_uuid, reporter_uuid, author_uuid, message, reason)
    select wanted.uuid, timely.uuid, wanted.user_uuid, wanted.message, %(reason)s
    from timely
    join wanted on wanted.user_uuid <> timely.uuid
    where (select retry_after_s from full_hour) is null
        or exists (select from public.reports where activity_uuid = wanted.uuid and reporter_uuid = timely.uuid)
    on conflict (activity_uuid, reporter_uuid) do update set activity_uuid = excluded.activity_uuid
    returning activity_uuid as uuid, reason, created_at
)
select
    case
        when not exists (select from me) then public.missing_writer(%(sub)s, %(handle)s)
        when not exists (select from allowed) then 'generic_403'
        when not exists (select from wanted) then 'not_found'
        when exists (select from wanted join me on me.uuid = wanted.user_uuid) then 'reported_is_reporter'
        when not exists (select from timely) then 'late'
        when not exists (select from reported) then 'reports_exceed_hourly_max'
        else 'ok'
    end as outcome,
    (select row_to_json(reported) from reported) as body,
    public.clock_us() as clock_us,
    (select retry_after_s from full_hour) as retry_after_s,
    pg_current_xact_id_if_assigned() as xid
