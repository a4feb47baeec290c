-- Summary: the server's clock, and the end of a lost session
-- Cost: the server's sessions
-- A worker runs this before the first write of a session, and again if it has not read the server's clock for a minute.
-- %(lost)s: the name of a session that was lost with writes under way, or null. If its backend still exists, it is terminated,
-- so that it runs nothing of what it was sent. is_gone: whether the backend has certainly ended. %(patience_ms)s: how long to
-- wait for its end; 0: not at all.
-- name: this session's own name: no other session of any server has the same number and start. clock_us: the server's clock,
-- in microseconds since 1970.
with lost as materialized (
    select
        case
            when %(patience_ms)s::bigint > 0 then pg_terminate_backend(pid, %(patience_ms)s::bigint)
            else not pg_terminate_backend(pid)
        end as is_gone
    from pg_stat_get_activity(coalesce(split_part(%(lost)s, '/', 1)::integer, 0))
    where pid || '/' || (extract(epoch from backend_start) * 1000000)::bigint = %(lost)s
)
select
    coalesce((select is_gone from lost), true) as is_gone,
    (
        select pid || '/' || (extract(epoch from backend_start) * 1000000)::bigint
        from pg_stat_get_activity(pg_backend_pid())
    ) as name,
    (extract(epoch from clock_timestamp()) * 1000000)::bigint as clock_us
