-- A create index concurrently that failed leaves an invalid index, which is kept up to date and never used.
select
    :'check', case when count(*) > 0 then 'warning' else 'ok' end,
    count(*) || ' invalid' || coalesce(': ' || string_agg(indexrelid::regclass::text, ', '), ''),
    'reindex index concurrently …'
from pg_index i
join pg_class c on c.oid = indexrelid
where not indisvalid and relnamespace = to_regnamespace('public');
