-- Lets cruddur_readonly read every table of a database, for backups and reports, including e-mail addresses and private messages.
-- The owner of the database and its tables runs it. bin/db-schema-load and bin/db-migrate run it at their end, so that the role can
-- read new tables, too. Without the role, which sql/roles.sql makes, it does nothing.
do $$
begin
    if to_regrole('cruddur_readonly') is not null then
        perform pg_advisory_xact_lock(1668445540, 3); -- two such grants at once fail
        execute format('grant connect on database %I to cruddur_readonly', current_database());
        grant usage on schema public to cruddur_readonly;
        grant select on all tables in schema public to cruddur_readonly;
    end if;
exception
    when insufficient_privilege then
        raise notice 'not the owner of database % and its tables: the rights of cruddur_readonly stay as they are', current_database();
end
$$;
