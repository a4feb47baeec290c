-- The conversations go with their tables and cannot be restored.
drop table messages, message_groups;

do $$
begin
    if to_regrole('cruddur_app') is not null then
        revoke update (display_name, bio) on users from cruddur_app;
        revoke delete, update (replies_count) on activities from cruddur_app;
    end if;
end
$$;
