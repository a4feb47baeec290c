-- What every session of the service starts with. Times leave the database in UTC, with their offset.
-- %(statement_timeout)s: milliseconds.
select
    set_config('statement_timeout', %(statement_timeout)s, false),
    set_config('lock_timeout', %(statement_timeout)s, false),
    set_config('timezone', 'UTC', false),
    set_config('datestyle', 'ISO', false),
    set_config('intervalstyle', 'postgres', false),
    set_config('search_path', 'public, pg_temp', false),
    set_config('jit', 'off', false)
