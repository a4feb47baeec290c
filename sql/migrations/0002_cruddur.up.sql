-- From week 4's tables, in any of their variants, to this project's. Every row stays, under its uuid; times without a
-- zone are UTC.
--
-- What is missing, or somebody else's already, gets a stand-in, and a NOTICE says whose:
--   handle           user-UUID; where several users have one (case aside), the oldest keeps it, the next are HANDLE-2, …
--   display_name     the handle
--   email            UUID@unknown.invalid, also for all but the oldest user of an address
--   cognito_user_id  mock-UUID, also for the seeds' MOCK and for all but the oldest user of an id
--   an activity's user that is not there is made, as "Unknown user"; a reply to what is not there (any integer) becomes
--   a top-level activity; expires_at that is not after created_at becomes the microsecond after it, gone as before
-- Counts that are null or below zero become 0, and replies_count at least the number of the replies.
--
-- What breaks a rule of the new tables stops the migration with a list, before anything is changed: nobody's words are
-- cut. So does a column that is unknown here and holds values, and a view or table that depends on these two. Of
-- activities, updated_at (some have it) is let go; so are rights, indexes and triggers that were added to either table.
lock table users, activities in access exclusive mode;

do $$
declare
    extra record;
    used  boolean;
begin
    for extra in
        select attrelid::regclass as owner, attname as name
        from pg_attribute
        where attrelid in ('users'::regclass, 'activities'::regclass) and attnum > 0 and not attisdropped
            and attname <> all (case attrelid
                when 'users'::regclass then
                    '{uuid,display_name,handle,email,cognito_user_id,bio,created_at,updated_at}'::name[]
                else
                    '{uuid,user_uuid,message,replies_count,reposts_count,likes_count,reply_to_activity_uuid,expires_at,
                    created_at,updated_at}'::name[]
                end)
    loop
        execute format('select exists (select from %s where %I is not null)', extra.owner, extra.name) into used;
        if used then
            raise exception 'column % of % holds values and has no place in the new tables: nothing was changed',
                extra.name, extra.owner
                using hint = 'Move them to a table of their own first.';
        end if;
    end loop;
end
$$;

-- The rows as they will be, made right step by step. Not every variant has every column: to_jsonb gives null for those.
create temporary table old_users on commit drop as
select
    uuid,
    display_name::text,
    handle::text,
    to_jsonb(users) ->> 'email' as email,
    cognito_user_id::text,
    coalesce(to_jsonb(users) ->> 'bio', '') as bio,
    created_at::timestamptz,
    coalesce((to_jsonb(users) ->> 'updated_at')::timestamptz, created_at) as updated_at
from users;

create temporary table old_activities on commit drop as
select
    uuid,
    user_uuid,
    message::text,
    greatest(replies_count, 0) as replies_count,
    greatest(reposts_count, 0) as reposts_count,
    greatest(likes_count, 0) as likes_count,
    reply_to_activity_uuid::text,
    expires_at::timestamptz,
    created_at::timestamptz
from activities;

-- A hundred of the lines, and that there are more.
create function pg_temp.some_of(lines text[]) returns text
    language sql
as $$
    select array_to_string(lines[1:100] || case when cardinality(lines) > 100 then '{...}'::text[] end, E'\n')
$$;

create function pg_temp.tell(what text, uuids uuid[]) returns void
    language plpgsql
as $$
begin
    if uuids is not null then
        raise notice '%: %', what, cardinality(uuids) using detail = pg_temp.some_of(uuids::text[]);
    end if;
end
$$;

with made as (
    insert into old_users (uuid, display_name, bio, created_at, updated_at)
    select user_uuid, 'Unknown user', '', min(created_at), min(created_at)
    from old_activities
    where user_uuid is not null and not exists (select from old_users where old_users.uuid = user_uuid)
    group by user_uuid
    returning uuid
)
select pg_temp.tell('users that were missing, made for their activities', array_agg(uuid)) from made;

create index on old_users (uuid);
create index on old_users (lower(handle));
analyze old_users, old_activities;

with changed as (
    update old_users
    set handle = 'user-' || uuid
    where handle is null or handle !~ '[^[:space:]]'
    returning uuid
)
select pg_temp.tell('users without a handle, now user-UUID', array_agg(uuid)) from changed;

do $$
declare
    later record;
    n     bigint;
    free  text;
begin
    for later in
        select *
        from (
            select uuid, handle, row_number() over (partition by lower(handle) order by created_at, uuid) as place
            from old_users
        ) as placed
        where place > 1
        order by lower(handle), place
    loop
        n := later.place;
        loop
            free := left(later.handle, 64 - length('-' || n)) || '-' || n;
            exit when not exists (select from old_users where lower(handle) = lower(free));
            n := n + 1;
        end loop;
        update old_users set handle = free where uuid = later.uuid;
        raise notice 'user %: the handle % is an older user''s, now %', later.uuid, later.handle, free;
    end loop;
end
$$;

with changed as (
    update old_users
    set display_name = handle
    where display_name is null or display_name !~ '[^[:space:]]'
    returning uuid
)
select pg_temp.tell('users without a display name, now their handle', array_agg(uuid)) from changed;

with placed as (
    select uuid, row_number() over (partition by lower(email) order by created_at, uuid) as place
    from old_users
), changed as (
    update old_users
    set email = old_users.uuid || '@unknown.invalid'
    from placed
    where placed.uuid = old_users.uuid and (place > 1 or email is null or email !~ '[^[:space:]]')
    returning old_users.uuid
)
select pg_temp.tell('users without an e-mail address, or with that of an older user, now UUID@unknown.invalid',
    array_agg(uuid)) from changed;

with placed as (
    select uuid, row_number() over (partition by cognito_user_id order by created_at, uuid) as place
    from old_users
), changed as (
    update old_users
    set cognito_user_id = 'mock-' || old_users.uuid
    from placed
    where placed.uuid = old_users.uuid
        and (place > 1 or cognito_user_id is null or cognito_user_id ~* '^[[:space:]]*(mock)?[[:space:]]*$')
    returning old_users.uuid
)
select pg_temp.tell('users without a Cognito id (none, or MOCK), or with that of an older user, now mock-UUID',
    array_agg(uuid)) from changed;

with changed as (
    update old_activities as reply
    set reply_to_activity_uuid = null
    where reply_to_activity_uuid is not null
        and not exists (
            select from old_activities as parent
            where parent.uuid::text = reply.reply_to_activity_uuid and parent.uuid <> reply.uuid
        )
    returning uuid
)
select pg_temp.tell('replies to an activity that is not there, now top-level activities', array_agg(uuid)) from changed;

with changed as (
    update old_activities
    set expires_at = created_at + interval '1 microsecond'
    where expires_at <= created_at
    returning uuid
)
select pg_temp.tell('activities that expired before they were made, now right after', array_agg(uuid)) from changed;

do $$
declare
    broken text[];
begin
    select array_agg(line order by line) into broken
    from (
        select format('users %s: %s', uuid, rule) as line
        from old_users
        cross join lateral (values
            (char_length(display_name) > 255, 'display_name has more than 255 characters'),
            (handle !~ '^[^[:space:][:cntrl:]/@]{1,64}$', 'handle is not one word of 1 to 64 characters without / and @'),
            (email !~ '^[^[:space:]]+@[^[:space:]@]+$' or char_length(email) > 320, 'email is not an e-mail address'),
            (cognito_user_id !~ '^[^[:space:]]{1,128}$', 'cognito_user_id has blanks or more than 128 characters'),
            (char_length(bio) > 1024, 'bio has more than 1024 characters'),
            (created_at is null, 'created_at is null')
        ) as rules (breaks, rule)
        where breaks
        union all
        select format('activities %s: %s', uuid, rule)
        from old_activities
        cross join lateral (values
            (user_uuid is null, 'user_uuid is null'),
            (coalesce(message, '') = '', 'message is empty'),
            (reply_to_activity_uuid is null and char_length(message) > 280, 'message has more than 280 characters'),
            (reply_to_activity_uuid is not null and char_length(message) > 1024, 'message has more than 1024 characters'),
            (created_at is null, 'created_at is null')
        ) as rules (breaks, rule)
        where breaks
    ) as lines;

    if broken is not null then
        raise exception 'rows that break a rule of the new tables: %; nothing was changed', cardinality(broken)
            using detail = pg_temp.some_of(broken), hint = 'Correct these rows, or delete them, and migrate again.';
    end if;
end
$$;

drop table activities, users;

create table users (
    uuid            uuid        not null default gen_random_uuid(),
    display_name    text        not null,
    handle          text        not null,
    email           text        not null,
    cognito_user_id text        not null,
    bio             text        not null default '',
    created_at      timestamptz not null default now(),
    updated_at      timestamptz not null default now(),
    constraint users_pkey primary key (uuid),
    constraint users_cognito_user_id_key unique (cognito_user_id),
    constraint users_display_name_check check (display_name ~ '[^[:space:]]' and char_length(display_name) <= 255),
    constraint users_handle_check check (handle ~ '^[^[:space:][:cntrl:]/@]{1,64}$'),
    constraint users_email_check check (email ~ '^[^[:space:]]+@[^[:space:]@]+$' and char_length(email) <= 320),
    constraint users_cognito_user_id_check check (cognito_user_id ~ '^[^[:space:]]{1,128}$'),
    constraint users_bio_check check (char_length(bio) <= 1024)
);

insert into users (uuid, display_name, handle, email, cognito_user_id, bio, created_at, updated_at)
select uuid, display_name, handle, email, cognito_user_id, bio, created_at, updated_at
from old_users;

create unique index users_handle_key on users (lower(handle));
create unique index users_email_key on users (lower(email));

create or replace function set_updated_at() returns trigger
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    new.updated_at := now();
    return new;
end
$$;
revoke all on function set_updated_at() from public;

create trigger users_updated_at
    before update on users
    for each row
    when (old.* is distinct from new.*)
    execute function set_updated_at();

create table activities (
    uuid                   uuid        not null default gen_random_uuid(),
    user_uuid              uuid        not null,
    message                text        not null,
    replies_count          integer     not null default 0,
    reposts_count          integer     not null default 0,
    likes_count            integer     not null default 0,
    reply_to_activity_uuid uuid,
    expires_at             timestamptz,
    created_at             timestamptz not null default now(),
    constraint activities_pkey primary key (uuid),
    constraint activities_user_uuid_fkey foreign key (user_uuid) references users (uuid) on delete cascade,
    constraint activities_reply_to_activity_uuid_fkey foreign key (reply_to_activity_uuid)
        references activities (uuid) on delete cascade,
    constraint activities_message_check check (
        char_length(message) between 1 and case when reply_to_activity_uuid is null then 280 else 1024 end
    ),
    constraint activities_replies_count_check check (replies_count >= 0),
    constraint activities_reposts_count_check check (reposts_count >= 0),
    constraint activities_likes_count_check check (likes_count >= 0),
    constraint activities_reply_to_itself_check check (reply_to_activity_uuid <> uuid),
    constraint activities_expires_at_check check (expires_at > created_at)
);

insert into activities (
    uuid, user_uuid, message, replies_count, reposts_count, likes_count, reply_to_activity_uuid, expires_at, created_at
)
select
    uuid, user_uuid, message, greatest(replies_count, replies.count), reposts_count, likes_count,
    old_activities.reply_to_activity_uuid::uuid, expires_at, created_at
from old_activities
left join (
    select reply_to_activity_uuid, count(*)::integer as count
    from old_activities
    group by reply_to_activity_uuid
) as replies on replies.reply_to_activity_uuid = old_activities.uuid::text;

create index activities_home_idx on activities (created_at desc, uuid desc) where reply_to_activity_uuid is null;
create index activities_user_idx on activities (user_uuid, created_at desc, uuid desc);
create index activities_replies_idx on activities (reply_to_activity_uuid, created_at, uuid)
    where reply_to_activity_uuid is not null;
create index activities_expires_at_idx on activities (expires_at) where expires_at is not null;

do $$
begin
    if to_regrole('cruddur_app') is null then
        create role cruddur_app nologin;
    end if;
exception
    when insufficient_privilege then
        raise notice 'role cruddur_app is missing and may not be created here: the tables belong to their owner alone';
    when duplicate_object or unique_violation then
        null; -- another load on this server was faster
end
$$;

do $$
begin
    execute format('revoke all on database %I from public', current_database());
    execute format('alter database %I set search_path = public', current_database());
exception
    when insufficient_privilege then
        raise notice 'not the owner of database %: its rights and search_path stay as they are', current_database();
end
$$;
revoke all on schema public from public;

do $$
begin
    if to_regrole('cruddur_app') is not null then
        execute format('grant connect on database %I to cruddur_app', current_database());
        grant usage on schema public to cruddur_app;
        grant select (uuid, display_name, handle, cognito_user_id, bio, created_at) on users to cruddur_app;
        grant select, insert, update (uuid) on activities to cruddur_app;
    end if;
end
$$;
