-- Summary: a new activity
-- Cost: its author's activities of the last hour, at most as many as one may make (300)
-- Creates an activity of the caller and returns it as the feed shows it. A trigger notifies the users that it mentions.
-- %(uuid)s is made before the statement is sent. If the statement is sent a second time, it writes the row again without a change
-- instead of skipping it: only a transaction that writes waits for the standby, and may be acknowledged.
-- %(window_s)s: a post of the same caller with the same text and ttl within the last window_s seconds is returned instead of a new
-- one (a double click). 0: no such check, as for a request with an Idempotency-Key, whose uuid has version 5.
-- %(sub)s: the token's subject; null: the caller is the user with %(handle)s. %(ttl)s: an interval, from the server's now().
-- %(not_after)s: the time by the server's clock, in microseconds since 1970, at which the worker gives this attempt up. Every write
-- has this parameter. It reads the clock once it holds the lock that it takes first; if it is too late, it writes nothing and
-- returns the outcome late, which src/db/connection_results.c handles. clock_us: the server's clock, for the worker.
-- %(most)s: how many activities the author may make within an hour, posts and replies; 0: any number. Deleted and expired ones
-- count until they are purged. Requests of one author that run at the same moment do not count each other. An activity that exists
-- already is never refused for this limit. retry_after_s: after how many seconds the author may make one, if refused; else null.
-- Outcomes: ok, user_not_found, user_not_registered, user_suspended, generic_403 (a handle that isn't the token's user's),
-- idempotency_key_reused (the uuid belongs to another message), posts_exceed_hourly_max, activity_deleted (the activity with the
-- uuid has expired or was deleted).
with me as (
    select * from public.writer(%(sub)s, %(handle)s)
),
timely as (
    select uuid, public.retry_after_s('activities', uuid, %(most)s) as retry_after_s
    from me
    where is_allowed
        and public.is_timely(%(not_after)s)
),
created as (
    insert into public.activities as a (uuid, user_uuid, message, expires_at)
    select wanted.uuid, wanted.user_uuid, %(message)s, now() + %(ttl)s::interval
    from (
        select
            timely.uuid as user_uuid,
            timely.retry_after_s,
            coalesce(
                case
                    when %(window_s)s::integer > 0 then
                        public.recent_twin(
                            timely.uuid,
                            null,
                            %(message)s,
                            %(ttl)s::interval,
                            %(window_s)s::integer,
                            pg_advisory_xact_lock(1668445542, uuid_hash(timely.uuid) # hashtext(%(message)s)) is not null
                        )
                end,
                %(uuid)s::uuid
            ) as uuid
        from timely
    ) wanted
    where (
            wanted.retry_after_s is null
            or wanted.uuid <> %(uuid)s::uuid
            or exists (select from public.activities where uuid = %(uuid)s::uuid)
        )
        and case when substr(%(uuid)s::uuid::text, 15, 1) = '5' then not public.is_key_used(%(uuid)s::uuid) else true end
    on conflict (uuid) do update set uuid = excluded.uuid
    returning a as post, a.xmax = 0 as is_new
),
answer as (
    select
        card.*,
        case when created.is_new then false else public.has_liked(me.uuid, card.uuid) end as liked,
        case when created.is_new then false else public.has_reposted(me.uuid, card.uuid) end as reposted,
        '[]'::json as replies
    from created
    cross join me
    cross join lateral public.card(created.post, me.display_name, me.handle) card
)
select
    coalesce(
        (
            select
                case
                    when is_new then 'ok'
                    when (post).expires_at <= now() then 'activity_deleted'
                    when (post).message <> %(message)s
                        or (post).reply_to_activity_uuid is not null
                        or coalesce((post).first_expires_at, (post).expires_at)
                            is distinct from (post).created_at + %(ttl)s::interval
                        then 'idempotency_key_reused'
                    else 'ok'
                end
            from created
        ),
        (
            select
                case
                    when retry_after_s is null then 'activity_deleted'
                    when case when substr(%(uuid)s::uuid::text, 15, 1) = '5' then public.is_key_used(%(uuid)s::uuid) else false end
                        then 'activity_deleted'
                    else 'posts_exceed_hourly_max'
                end
            from timely
        ),
        (select case when is_allowed then 'late' else 'generic_403' end from me),
        public.missing_writer(%(sub)s, %(handle)s)
    ) as outcome,
    (select row_to_json(answer) from answer) as body,
    public.clock_us() as clock_us,
    (select retry_after_s from timely) as retry_after_s,
    pg_current_xact_id_if_assigned() as xid
