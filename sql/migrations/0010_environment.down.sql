-- The mark is lost: afterwards the scripts know production by its URL alone. The administrator keeps the right to connect.
do $$
begin
    if to_regrole('cruddur_app') is not null then
        revoke select (number, name) on applied_migrations from cruddur_app;
    end if;
end
$$;

drop table environment;
