-- The tables that refer to others, or are referred to, as JSON: what tables.py draws. PostgreSQL describes its tables in tables:
-- pg_class has a row for each table, pg_attribute for each column, pg_constraint for each key. Housekeeping tables without
-- a foreign key are left out.
with reference as (
    select c.conrelid, c.conkey[1] as column_number, c.confrelid, c.confdeltype
    from pg_constraint c
    where c.contype = 'f'
        and c.connamespace = 'public'::regnamespace
),
described as (
    select
        t.oid,
        t.relname,
        json_agg(
            json_build_object(
                'name', a.attname,
                'type', replace(format_type(a.atttypid, a.atttypmod), 'timestamp with time zone', 'timestamptz'),
                'is_key', coalesce(a.attnum = any (k.conkey), false),
                'refers_to', r.confrelid::regclass::text,
                'on_delete', r.confdeltype
            )
            order by a.attnum
        ) as columns
    from pg_class t
    join pg_attribute a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
    left join pg_constraint k on k.conrelid = t.oid and k.contype = 'p'
    left join reference r on r.conrelid = t.oid and r.column_number = a.attnum
    where t.oid in (select conrelid from reference union select confrelid from reference)
    group by t.oid
)
select json_agg(json_build_object('name', relname, 'columns', columns) order by relname)
from described;
