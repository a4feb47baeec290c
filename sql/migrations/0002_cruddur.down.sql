-- Back to week 4's tables: every row stays; times become UTC without a zone.
--
-- bio stays where somebody has one, as the column that the finished Cruddur adds; reply_to_activity_uuid becomes an
-- integer where nothing is a reply, and stays a uuid where it would lose whom a reply answers. Not restored: updated_at;
-- what 0002 put in the place of missing or double values, and the users it made; rights, indexes, triggers and foreign
-- keys that somebody had added. The role cruddur_app stays, since other databases may use it, without rights here.
lock table users, activities in access exclusive mode;

create temporary table new_users on commit drop as table users;
create temporary table new_activities on commit drop as table activities;
drop table activities, users;
drop function set_updated_at();

\ir 0001_week_4.up.sql

insert into users (uuid, display_name, handle, email, cognito_user_id, created_at)
select uuid, display_name, handle, email, cognito_user_id, created_at at time zone 'UTC'
from new_users;

insert into activities (uuid, user_uuid, message, replies_count, reposts_count, likes_count, expires_at, created_at)
select
    uuid, user_uuid, message, replies_count, reposts_count, likes_count,
    expires_at at time zone 'UTC', created_at at time zone 'UTC'
from new_activities;

do $$
begin
    if exists (select from new_users where bio <> '') then
        alter table users add column bio text;
        update users set bio = new_users.bio from new_users where new_users.uuid = users.uuid;
    end if;
    if exists (select from new_activities where reply_to_activity_uuid is not null) then
        alter table activities alter column reply_to_activity_uuid type uuid using null;
        update activities
        set reply_to_activity_uuid = new_activities.reply_to_activity_uuid
        from new_activities
        where new_activities.uuid = activities.uuid;
    end if;
end
$$;

-- What a new database of PostgreSQL 15 grants.
do $$
begin
    execute format('grant connect, temporary on database %I to public', current_database());
    execute format('alter database %I reset search_path', current_database());
exception
    when insufficient_privilege then
        raise notice 'not the owner of database %: its rights and search_path stay as they are', current_database();
end
$$;
grant usage on schema public to public;

do $$
begin
    if to_regrole('cruddur_app') is not null then
        execute format('revoke all on database %I from cruddur_app', current_database());
        revoke all on schema public from cruddur_app;
    end if;
end
$$;
