select
    :'check', case when count(*) > 0 or not current_setting('autovacuum')::boolean then 'warning' else 'ok' end,
    case
        when count(*) > 0
            then string_agg(format('%s has %s dead rows and %s live ones', relname, n_dead_tup, n_live_tup), ', ')
        when not current_setting('autovacuum')::boolean then 'autovacuum is off'
        else 'vacuum keeps up'
    end,
    'vacuum (analyze) it; see that autovacuum is on, and that no old transaction holds the rows'
from pg_stat_user_tables
where n_dead_tup > :dead_rows_min and n_dead_tup > n_live_tup * :dead_rows_percent / 100;
