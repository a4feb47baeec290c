-- What transactions there are: another text after every commit that wrote, here or on the primary behind a standby, and
-- the same as long as none did.
select 'ok' as outcome, pg_current_snapshot()::text as body
