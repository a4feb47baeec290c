select
    :'check', case when count(*) > 0 then 'warning' else 'ok' end,
    case
        when count(*) > 0
            then string_agg(format('%s waits for %s, held by %s', pid, coalesce(relation::regclass::text, locktype), pg_blocking_pids(pid)), '; ')
        else format('no session waits for one longer than %s s', :patience_s)
    end,
    'db-sessions shows them; select pg_terminate_backend(pid) ends the holder'
from pg_locks
where not granted and waitstart < now() - make_interval(secs => :patience_s);
