-- Counts and notifications depend on them; a restore by hand may have left them disabled.
select
    :'check', case when count(*) > 0 then 'problem' else 'ok' end,
    count(*) || ' disabled' || coalesce(': ' || string_agg(distinct tgrelid::regclass::text, ', '), ''),
    'alter table … enable trigger all, as a superuser'
from pg_trigger t
join pg_class c on c.oid = tgrelid
where tgenabled = 'D' and relnamespace = to_regnamespace('public');
