-- Without pg_read_all_stats only the transactions of this login can be seen.
select
    :'check', case when count(*) > 0 then 'warning' else 'ok' end,
    case
        when count(*) > 0
            then format('idle in a transaction for more than %s s: ', :patience_s)
                || string_agg(pid || ' (' || usename || ', ' || application_name || ')', ', ')
        else 'none is idle in a transaction'
    end || case when pg_has_role('pg_read_all_stats', 'usage') then '' else ', as far as this login can see' end,
    'they keep locks and dead rows: select pg_terminate_backend(pid), and set idle_in_transaction_session_timeout for that role'
from pg_stat_activity
where state like 'idle in transaction%' and xact_start < now() - make_interval(secs => :patience_s);
