-- Summary: a step of the purge, or of the renewal after a migration
-- Cost: 200 activities, and 20 likes and 20 reposts for each; of a user that left, 200 rows of each table
-- Runs one step of the purge, unless another purge, from any host, is at work on this database; see purge_step in schema.sql.
-- Outcomes: ok, busy. The body is how much was done or, if busy, the pid of the server's process that holds the lock.
-- lives_us: the microseconds until there is more to do, as far as can be foreseen: until the next activity or message expires, an activity
-- has been deleted for a day, a message for an hour, or a user that left is due. 0: there is more to do now; null: none is foreseen.
with lock as materialized (
    select pg_try_advisory_xact_lock(1668445540, 2) as is_mine
),
step as materialized (
    select public.purge_step(200) as done
    from lock
    where is_mine
),
-- 'infinity' is the end of a hidden post that does not expire.
next as materialized (
    select least(
        (
            select min(expires_at)
            from public.activities
            where expires_at > '-infinity'
                and expires_at < 'infinity'
        ),
        (select min(hidden_expires_at) from public.activities where hidden_expires_at is not null),
        (select min(deleted_at) + interval '1 day' from public.activities where deleted_at is not null),
        (select min(expires_at) from public.messages where expires_at is not null),
        (select min(deleted_at) + interval '1 hour' from public.messages where deleted_at is not null),
        (select min(due_at) from public.departures)
    ) as at
)
select
    case when exists (select from step) then 'ok' else 'busy' end as outcome,
    coalesce(
        (select done from step),
        (
            select pid
            from pg_locks
            where locktype = 'advisory'
                and database = (select oid from pg_database where datname = current_database())
                and (classid, objid) = (1668445540, 2)
                and granted
            limit 1
        ),
        0
    ) as body,
    null as next_key,
    (select (extract(epoch from greatest(at - now(), interval '0')) * 1000000)::bigint from next where at < 'infinity') as lives_us
