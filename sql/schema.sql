-- The tables of a NEW database (PostgreSQL 13 or later, no extension). Loaded by bin/db-schema-load, or by hand with
-- psql. All of it or nothing: where a table exists already the load stops, and what was there stays as it was.
\set ON_ERROR_STOP on
begin;
set local search_path = public, pg_temp;

create table users (
    uuid            uuid        not null default gen_random_uuid(),
    display_name    text        not null,
    handle          text        not null,
    email           text        not null,
    cognito_user_id text        not null, -- the claim "sub" of the user's tokens
    bio             text        not null default '',
    created_at      timestamptz not null default now(),
    updated_at      timestamptz not null default now(),
    constraint users_pkey primary key (uuid),
    constraint users_cognito_user_id_key unique (cognito_user_id),
    constraint users_display_name_check check (display_name ~ '[^[:space:]]' and char_length(display_name) <= 255),
    -- One word of a path and of a mention: no blanks, no control characters, no "/" and no "@".
    constraint users_handle_check check (handle ~ '^[^[:space:][:cntrl:]/@]{1,64}$'),
    constraint users_email_check check (email ~ '^[^[:space:]]+@[^[:space:]@]+$' and char_length(email) <= 320),
    constraint users_cognito_user_id_check check (cognito_user_id ~ '^[^[:space:]]{1,128}$'),
    constraint users_bio_check check (char_length(bio) <= 1024)
);

-- AndrewBrown and andrewbrown are one user; statements look handles up by lower(handle).
create unique index users_handle_key on users (lower(handle));
create unique index users_email_key on users (lower(email));

create function set_updated_at() returns trigger
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

-- Makes the user whom an event of Cognito's PostConfirmation trigger is about: the outcome word, for which see
-- sql/users/confirm.sql. All rules for it are here and in the table's constraints; what breaks them is caught, so that no
-- value gets into the server's log. The identity (handle, e-mail) is the pool's, so an event that comes again writes it
-- again; the display name is the user's own from then on. pool: null takes any.
create function confirm_user(new_uuid uuid, event json, pool text) returns text
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    subject text;
    username text;
    full_name text;
    address text;
    broken_constraint text;
begin
    if json_typeof(event -> 'triggerSource') is distinct from 'string' then
        return 'trigger_source_blank';
    elsif event ->> 'triggerSource' <> 'PostConfirmation_ConfirmSignUp' then
        return 'ok';
    elsif event ->> 'userPoolId' is distinct from coalesce(pool, event ->> 'userPoolId') then
        return 'user_pool_mismatch';
    end if;

    select
        coalesce(max(value #>> '{}') filter (where key = 'sub'), ''),
        coalesce(max(value #>> '{}') filter (where key = 'preferred_username'), ''),
        coalesce(max(value #>> '{}') filter (where key = 'name'), ''),
        coalesce(max(value #>> '{}') filter (where key = 'email'), '')
    into subject, username, full_name, address
    from json_each(
        case json_typeof(event #> '{request,userAttributes}')
            when 'object' then event #> '{request,userAttributes}'
        end
    )
    where json_typeof(value) = 'string';
    if '' in (subject, username, full_name, address) then
        return case ''
            when subject then 'cognito_user_id_blank'
            when username then 'user_handle_blank'
            when full_name then 'display_name_blank'
            else 'email_blank'
        end;
    end if;

    for attempt in 1..5 loop
        begin
            insert into public.users (uuid, cognito_user_id, handle, display_name, email)
            values (new_uuid, subject, username, full_name, address)
            on conflict (cognito_user_id) do update set handle = excluded.handle, email = excluded.email;
            return 'ok';
        exception
            when check_violation then
                get stacked diagnostics broken_constraint = constraint_name;
                return case broken_constraint
                    when 'users_cognito_user_id_check' then 'cognito_user_id_invalid'
                    when 'users_handle_check' then 'user_handle_invalid'
                    when 'users_email_check' then 'email_invalid'
                    when 'users_display_name_check' then
                        case when char_length(full_name) > 255 then 'display_name_exceed_max_chars' else 'display_name_blank' end
                end;
            when unique_violation then
                if exists (select from public.users where lower(handle) = lower(username) and cognito_user_id <> subject) then
                    return 'handle_taken';
                elsif exists (select from public.users where lower(email) = lower(address) and cognito_user_id <> subject) then
                    return 'email_taken';
                end if;
                -- Neither: another delivery of this event has just made the row, or whoever had the name has just gone.
        end;
    end loop;
    raise unique_violation using message = 'a user with this uuid, handle or e-mail comes and goes';
end
$$;
revoke all on function confirm_user(uuid, json, text) from public;

create table activities (
    uuid                   uuid        not null default gen_random_uuid(),
    user_uuid              uuid        not null,
    message                text        not null,
    replies_count          integer     not null default 0,
    reposts_count          integer     not null default 0,
    likes_count            integer     not null default 0,
    reply_to_activity_uuid uuid,       -- null: a top-level activity
    expires_at             timestamptz, -- null: never
    created_at             timestamptz not null default now(),
    constraint activities_pkey primary key (uuid),
    constraint activities_user_uuid_fkey foreign key (user_uuid) references users (uuid) on delete cascade,
    constraint activities_reply_to_activity_uuid_fkey foreign key (reply_to_activity_uuid)
        references activities (uuid) on delete cascade,
    -- Code points; text and not varchar(n), which would cut trailing blanks off without a word.
    constraint activities_message_check check (
        char_length(message) between 1 and case when reply_to_activity_uuid is null then 280 else 1024 end
    ),
    constraint activities_replies_count_check check (replies_count >= 0),
    constraint activities_reposts_count_check check (reposts_count >= 0),
    constraint activities_likes_count_check check (likes_count >= 0),
    constraint activities_reply_to_itself_check check (reply_to_activity_uuid <> uuid),
    constraint activities_expires_at_check check (expires_at > created_at)
);

-- How long posts live: at most this long, each as long as the service offers (src/api/rules.c). Of those of one lifetime the
-- later ones expire later, so that what is left of them lies together in an index by lifetime and time, however many have
-- expired. Both functions know the list.

-- Where an activity stands in such an index: 10^18 for each lifetime, and the microseconds since 1970 (exact until 2106).
create function lifetime_key(created_at timestamptz, expires_at timestamptz) returns bigint
    language sql
    immutable
    parallel safe
as $$
    select
        case
            when not (isfinite(created_at) and isfinite(expires_at)) then 8
            when expires_at - created_at <= interval '1 hour' then 1
            when expires_at - created_at <= interval '3 hours' then 2
            when expires_at - created_at <= interval '12 hours' then 3
            when expires_at - created_at <= interval '1 day' then 4
            when expires_at - created_at <= interval '3 days' then 5
            when expires_at - created_at <= interval '7 days' then 6
            when expires_at - created_at <= interval '30 days' then 7
            else 8
        end * 1000000000000000000
        + case
            when created_at > timestamptz '20000-01-01 00:00:00+00' then 700000000000000000
            when created_at > '-infinity' then (date_part('epoch', created_at - timestamptz 'epoch') * 1000000)::bigint
            else -300000000000000000
        end
$$;

-- For each lifetime its zero in such an index, and the keys between which everything is that may not have expired. (The
-- eighth is for what lives longer, or for ever; there, and of what was made to live for another time than these, some may
-- have expired.)
create function lifetimes() returns table (zero bigint, since bigint, until bigint)
    language sql
    stable
    parallel safe
    rows 8
as $$
    select
        number * 1000000000000000000,
        number * 1000000000000000000
        + coalesce((date_part('epoch', now() - length - timestamptz 'epoch') * 1000000)::bigint, -400000000000000000),
        number * 1000000000000000000 + 700000000000000001
    from (
        values
            (1, interval '1 hour'), (2, '3 hours'), (3, '12 hours'), (4, '1 day'), (5, '3 days'), (6, '7 days'), (7, '30 days'),
            (8, null)
    ) lifetime (number, length)
$$;
revoke all on function lifetime_key(timestamptz, timestamptz), lifetimes() from public;

-- One index for every list; uuid breaks ties, so that a keyset cursor neither skips nor repeats a row.
create index activities_home_idx on activities (created_at desc, uuid desc) where reply_to_activity_uuid is null;
create index activities_user_idx on activities (user_uuid, created_at desc, uuid desc);
create index activities_replies_idx on activities (reply_to_activity_uuid, created_at, uuid)
    where reply_to_activity_uuid is not null;
create index activities_expires_at_idx on activities (expires_at) where expires_at is not null;
create index activities_live_idx on activities (lifetime_key(created_at, expires_at), uuid) where reply_to_activity_uuid is null;
create index activities_user_live_idx
    on activities (user_uuid, (reply_to_activity_uuid is null), lifetime_key(created_at, expires_at), uuid);

-- A conversation of two people; there is one for each pair, the smaller uuid first.
create table message_groups (
    uuid              uuid        not null default gen_random_uuid(),
    first_user_uuid   uuid        not null,
    second_user_uuid  uuid        not null,
    last_message_at   timestamptz not null default now(),
    created_at        timestamptz not null default now(),
    constraint message_groups_pkey primary key (uuid),
    constraint message_groups_first_user_uuid_fkey foreign key (first_user_uuid) references users (uuid) on delete cascade,
    constraint message_groups_second_user_uuid_fkey foreign key (second_user_uuid) references users (uuid) on delete cascade,
    constraint message_groups_pair_key unique (first_user_uuid, second_user_uuid),
    constraint message_groups_pair_check check (first_user_uuid < second_user_uuid)
);

create index message_groups_first_user_idx on message_groups (first_user_uuid, last_message_at desc, uuid desc);
create index message_groups_second_user_idx on message_groups (second_user_uuid, last_message_at desc, uuid desc);

create table messages (
    uuid               uuid        not null default gen_random_uuid(),
    message_group_uuid uuid        not null,
    user_uuid          uuid        not null, -- who sent it
    message            text        not null,
    created_at         timestamptz not null default now(),
    constraint messages_pkey primary key (uuid),
    constraint messages_message_group_uuid_fkey foreign key (message_group_uuid)
        references message_groups (uuid) on delete cascade,
    constraint messages_user_uuid_fkey foreign key (user_uuid) references users (uuid) on delete cascade,
    constraint messages_message_check check (char_length(message) between 1 and 1024)
);

create index messages_group_idx on messages (message_group_uuid, created_at desc, uuid desc);
create index messages_user_idx on messages (user_uuid);

-- Which migrations all this contains, for bin/db-migrate, which so has nothing to do after a load. A change here comes with
-- a migration, and with its line; the last column is what sha256sum says of sql/migrations/NNNN_name.up.sql.
create table applied_migrations (
    number     integer     not null,
    name       text        not null,
    checksum   text        not null,
    applied_at timestamptz not null default now(),
    constraint applied_migrations_pkey primary key (number)
);

insert into applied_migrations (number, name, checksum) values
    (1, 'week_4', 'ad7b67339866ec7cb8914f8b06c40eefb05b9c83b147ed691a38d404624bcf70'),
    (2, 'cruddur', '47ed4a0415241e4226f919688761ccdbc5e115d319be0b0c396afa80c0f9c52b'),
    (3, 'messages', 'c9f57502e271b2ecbf127a9a03a00a7db1cf3e9f5299d5df876f9752d58b8e5a'),
    (4, 'confirmation', '74158ab0e17e2214cef4691606cc85679722c4b0a1a5bf093250795568fec343'),
    (5, 'indexes', '15e10909419d5a589f356f7cd6659e933bab9fa6adcee50c878e727cc3115462');

-- Rights. The service logs in as a member of cruddur_app, which may do what its statements do and no more: it reads no
-- e-mail address, and makes users by confirm_user alone. (uuid = its own value is how a create says again what it said
-- before.) cruddur_confirmation is for whatever does nothing but that.
-- A loader that may not create roles gets a NOTICE and a schema that works for its owner.
do $$
declare
    role text;
begin
    foreach role in array array['cruddur_app', 'cruddur_confirmation'] loop
        begin
            if to_regrole(role) is null then
                execute format('create role %I nologin', role);
            end if;
        exception
            when insufficient_privilege then
                raise notice 'role % is missing and may not be created here: nobody has its rights but the owner', role;
            when duplicate_object or unique_violation then
                null; -- another load on this server was faster
        end;
    end loop;
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
        grant update (display_name, bio) on users to cruddur_app;
        grant select, insert, delete, update (uuid, replies_count) on activities to cruddur_app;
        grant select, insert, update (last_message_at) on message_groups to cruddur_app;
        grant select, insert, update (uuid) on messages to cruddur_app;
        grant execute on function confirm_user(uuid, json, text), lifetime_key(timestamptz, timestamptz), lifetimes() to cruddur_app;
    end if;
    if to_regrole('cruddur_confirmation') is not null then
        execute format('grant connect on database %I to cruddur_confirmation', current_database());
        grant usage on schema public to cruddur_confirmation;
        grant execute on function confirm_user(uuid, json, text) to cruddur_confirmation;
    end if;
end
$$;

commit;
