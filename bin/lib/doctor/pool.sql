-- needed: the sessions of all workers and helpers, with the one additional worker that a reload usually has.
with room as (
    select
        current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer
        - coalesce(current_setting('reserved_connections', true)::integer, 0) as server,
        nullif((select rolconnlimit from pg_roles where rolname = current_user), -1) as login,
        nullif((select datconnlimit from pg_database where datname = current_database()), -1) as database
)
select
    :'check', case when least(server, login, database) < :needed then 'problem' else 'ok' end,
    format('the service wants up to %s sessions; there are %s', :needed, least(server, login, database))
    || case least(server, login, database) when login then ' for this login' when database then ' for this database' else ' on this server' end,
    'db-roles --app-connections, max_connections of the server, or fewer --workers'
from room;
