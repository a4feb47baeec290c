-- The mark that the scripts read before they destroy data, and the administrator's right to connect.

-- One row or none; any name but development and test is guarded. Every role that may use the schema may read it: a script whose
-- role could not would have to refuse.
create table environment (
    name text not null,
    constraint environment_name_check check (name ~ '^[A-Za-z0-9_.-]{1,64}$')
);

create unique index environment_single_key on environment ((true));
grant select on environment to public;

do $$
begin
    if to_regrole('cruddur_app') is not null then
        grant select (number, name) on applied_migrations to cruddur_app; -- for cruddurd --check
    end if;
end
$$;

do $$
declare
    administrator name;
begin
    -- On a server without superuser access (RDS) the administrator's role owns nothing here, and keeps the right to connect.
    for administrator in select rolname from pg_roles where rolcreaterole and not rolsuper loop
        execute format('grant connect on database %I to %I', current_database(), administrator);
    end loop;
exception
    when insufficient_privilege then
        raise notice 'not the owner of database %: its rights stay as they are', current_database();
end
$$;
