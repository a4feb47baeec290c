-- Summary: which transactions there are, for the watcher
-- Cost: nothing
-- The current snapshot as text. It differs after every commit that wrote, and stays the same as long as there is none.
-- seen: as of current_view in schema.sql, but never cut. clock_us: the server's clock, in microseconds since 1970.
select
    'ok' as outcome,
    null as body,
    null as next_key,
    null as lives_us,
    case
        when not pg_is_in_recovery() then
            (extract(epoch from pg_postmaster_start_time()) * 1000000)::bigint
            + (extract(epoch from coalesce(pg_stat_get_bgwriter_stat_reset_time(), 'epoch')) * 1000000)::bigint
            || '/' || pg_current_snapshot()
    end as seen,
    (extract(epoch from clock_timestamp()) * 1000000)::bigint as clock_us
