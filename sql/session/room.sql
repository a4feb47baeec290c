-- Summary: how many sessions the login may have
-- Cost: the server's roles and databases
-- How many sessions there may be at a time, those of others included: the lowest of the limits of
-- this role, of this database and of the server.
select least(
        nullif((select rolconnlimit from pg_roles where rolname = current_user), -1),
        nullif((select datconnlimit from pg_database where datname = current_database()), -1),
        current_setting('max_connections')::integer
            - current_setting('superuser_reserved_connections')::integer
            - coalesce(current_setting('reserved_connections', true)::integer, 0)
    )::text as outcome
