with used as (
    select
        sum(numbackends)::integer as server,
        (select count(*) from pg_stat_activity where usename = current_user)::integer as login,
        current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer
        - coalesce(current_setting('reserved_connections', true)::integer, 0) as server_max,
        nullif((select rolconnlimit from pg_roles where rolname = current_user), -1) as login_max
    from pg_stat_database
)
select
    :'check',
    case
        when greatest(server * 100 / server_max, login * 100 / nullif(login_max, 0)) >= :sessions_problem_percent then 'problem'
        when greatest(server * 100 / server_max, login * 100 / nullif(login_max, 0)) >= :sessions_warning_percent then 'warning'
        else 'ok'
    end,
    server || ' of ' || server_max || ' in use' || coalesce(', ' || login || ' of ' || login_max || ' of this login', ''),
    'db-sessions shows them; fewer --workers, a pooler, or a larger max_connections'
from used;
