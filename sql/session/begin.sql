-- What every session of the service starts with. Times leave the database in UTC, with their offset.
-- %(statement_timeout)s: milliseconds. Plans are made once for any parameters, as doc/sql.md has them: a page of home was
-- planned each time that it was asked for otherwise, for more than it cost.
select
    set_config('statement_timeout', %(statement_timeout)s, false),
    set_config('lock_timeout', %(statement_timeout)s, false),
    set_config('timezone', 'UTC', false),
    set_config('datestyle', 'ISO', false),
    set_config('intervalstyle', 'postgres', false),
    set_config('search_path', 'public, pg_temp', false),
    set_config('jit', 'off', false),
    set_config('plan_cache_mode', 'force_generic_plan', false)
