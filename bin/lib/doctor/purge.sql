-- The service notes the end of a purge once a minute when nothing is left to do.
select
    :'check',
    case
        when coalesce(age > :purge_problem_s, true) then 'problem'
        when age > :purge_warning_s then 'warning'
        else 'ok'
    end,
    coalesce('all that had expired was purged ' || round(age / 60) || ' minutes ago', 'no purge has ever come to its end'),
    'run the service with --purge-interval, or db-purge by its timer; db-purge says what is in its way'
from (select extract(epoch from now() - finished_at) as age from public.purge_progress) progress;
