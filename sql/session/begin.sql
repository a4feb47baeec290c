-- Summary: how a session starts, with the time limit and the planner's mode
-- Cost: nothing
-- Every session of the service starts with this statement. Behind a pooler, whose sessions are shared with other clients, every
-- transaction does. Times leave the database in UTC, with their offset. %(statement_timeout)s: milliseconds; %(is_local)s: for this
-- transaction alone. Plans are made once for any parameters (force_generic_plan), as in doc/sql.md: otherwise a page of home was
-- planned each time, which took longer than running it. Incremental sort is off: it reads a whole group before its first row, such
-- as all likes of an activity for a page of them, even if an index has the whole order.
select
    set_config('statement_timeout', %(statement_timeout)s, %(is_local)s::boolean),
    set_config('lock_timeout', %(statement_timeout)s, %(is_local)s::boolean),
    set_config('timezone', 'UTC', %(is_local)s::boolean),
    set_config('datestyle', 'ISO', %(is_local)s::boolean),
    set_config('intervalstyle', 'postgres', %(is_local)s::boolean),
    set_config('search_path', 'public, pg_temp', %(is_local)s::boolean),
    set_config('jit', 'off', %(is_local)s::boolean),
    set_config('enable_incremental_sort', 'off', %(is_local)s::boolean),
    set_config('plan_cache_mode', 'force_generic_plan', %(is_local)s::boolean)
