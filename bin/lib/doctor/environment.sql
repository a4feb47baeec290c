-- target: prod or dev.
select to_regclass('public.environment') is null as is_missing \gset
\if :is_missing
select :'check', 'warning', 'the database cannot be marked as production', 'db-migrate makes the table environment';
\else
select
    :'check', case when :'target' = 'prod' and coalesce(name in ('development', 'test'), true) then 'warning' else 'ok' end,
    coalesce('marked as ' || name, 'not marked as production'),
    'insert into environment (name) values (''production''): the scripts that destroy data ask for it'
from (select (select name from public.environment) as name) mark;
\endif
