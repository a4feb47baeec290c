-- What transactions there are: another text after every commit that wrote, here or on the primary behind a standby, and
-- the same as long as none did. snapshot: as in activities/home.sql. body: by whom it was seen; another one after a crash, in
-- which transactions may have been lost whose numbers are given out again.
select
    'ok' as outcome,
    pg_backend_pid()::text as body,
    null as next_key,
    null as lives_us,
    (extract(epoch from pg_postmaster_start_time()) * 1000000)::bigint || '/' || pg_current_snapshot() as snapshot
