-- The statement_timeout that the role or the database sets; the service sets its own in every session.
select
    :'check', case when reset_val::integer between 1 and :timeout_min_ms - 1 then 'warning' else 'ok' end,
    case
        when reset_val = '0' then 'role and database set no statement_timeout; the service sets its own'
        else 'role or database set statement_timeout to ' || reset_val || ' ms'
    end,
    'it ends db-migrate, db-backup and the like in their midst: alter role … reset statement_timeout'
from pg_settings
where name = 'statement_timeout';
