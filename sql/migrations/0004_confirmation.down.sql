-- The users stay. So does the role cruddur_confirmation, since other databases may use it, without rights here.
drop function confirm_user(uuid, json, text);

do $$
begin
    if to_regrole('cruddur_confirmation') is not null then
        execute format('revoke all on database %I from cruddur_confirmation', current_database());
        revoke all on schema public from cruddur_confirmation;
    end if;
end
$$;
