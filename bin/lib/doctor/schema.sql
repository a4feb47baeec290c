-- last: the number and the name of the newest migration of the files.
select to_regclass('public.applied_migrations') is null as is_missing \gset
\if :is_missing
select :'check', 'problem', 'there are no tables of Cruddur', 'db-schema-load makes them in an empty database, db-migrate those of a database of week 4';
\else
select
    :'check', case when number = :last then 'ok' else 'problem' end,
    'at migration ' || number || case
        when number < :last then ', behind ' || :last || ', ' || :'last_name'
        when number > :last then ', ahead of ' || :last || ', the last one here'
        else ', the newest'
    end,
    case when number < :last then 'db-backup, then db-migrate' else 'install the release that has it, or go back by that one''s db-rollback' end
from (select coalesce(max(number), 0) as number from public.applied_migrations) applied;
\endif
