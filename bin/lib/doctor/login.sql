-- Rights that the service's login should not have. If the URL is that of the scripts, its login is the owner, and the warning is right.
with me as (
    select * from pg_roles where rolname = current_user
),
owners as (
    select distinct relowner as owner from pg_class where relnamespace = to_regnamespace('public') and relkind in ('r', 'p')
),
strengths as (
    select case when rolsuper then 'is a superuser' else array_to_string(array[
        case when rolcreaterole then 'may create roles' end,
        case when rolcreatedb then 'may create databases' end,
        case when rolreplication then 'may replicate' end,
        case when rolbypassrls then 'bypasses row security' end,
        case when exists (select from owners where owner = me.oid) then 'owns tables' end,
        case
            when exists (select from owners where owner <> me.oid and pg_has_role(me.oid, owner, 'member'))
                then 'is a member of the tables'' owner'
        end,
        case when has_schema_privilege('public', 'create') then 'may create tables' end
    ], ', ') end as text, rolsuper
    from me
)
select
    :'check', case when rolsuper then 'problem' when text <> '' then 'warning' else 'ok' end,
    case when text <> '' then current_user || ' ' || text else current_user || ' has no more rights than the service needs' end,
    'the service logs in as cruddur, which db-roles makes; the owner is for the scripts'
from strengths;
