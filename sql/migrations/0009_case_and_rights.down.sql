drop function confirm_user(uuid, json, text, timestamptz);
drop table confirmations;
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

create or replace function activity_tags(message text) returns text[]
    language plpgsql
    immutable
    parallel safe
    strict
as $$
declare
    piece text;
    tag   text;
    tags  text[];
begin
    -- No query in here: every insert does this.
    foreach piece in array (regexp_split_to_array(message, '(?<![[:alnum:]_#&/])#'))[2:] loop
        tag := '#' || lower(substring(piece from '^[[:alnum:]_]*[[:alpha:]_][[:alnum:]_]*'));
        if char_length(tag) <= 65 and tag <> all (coalesce(tags, '{}')) then
            tags := tags || tag;
        end if;
    end loop;
    return tags;
end
$$;

create or replace function activity_search(message text, tags text[], created_at timestamptz) returns tsvector
    language plpgsql
    immutable
    parallel safe
as $$
declare
    marks  text[] := coalesce(tags, '{}');
    second bigint;
begin
    if isfinite(created_at) then
        second := floor(date_part('epoch', created_at));
        marks := marks || array[
            '@6:' || (second >> 6), '@9:' || (second >> 9), '@12:' || (second >> 12),
            '@15:' || (second >> 15), '@18:' || (second >> 18), '@21:' || (second >> 21)
        ];
    end if;
    return to_tsvector('pg_catalog.simple', message) || array_to_tsvector(marks);
end
$$;

create or replace function mentioned_users(message text) returns setof uuid
    language sql
    stable
    set search_path = pg_catalog, pg_temp
as $$
    select distinct named.uuid
    from (
        select lower(match[1]) as word
        from regexp_matches(message, '(?<![[:alnum:]_@/])@([^[:space:][:cntrl:]/@]+)', 'g') with ordinality found (match, place)
        group by lower(match[1])
        order by min(place)
        limit 10
    ) words
    cross join lateral (
        select uuid
        from public.users
        where lower(handle) in (word, substring(word from '^[[:alnum:]_]+(?:[.-][[:alnum:]_]+)*'))
        order by char_length(handle) desc
        limit 1
    ) named
$$;

alter table users
    drop constraint users_display_name_check,
    add constraint users_display_name_check check (display_name ~ '[^[:space:]]' and char_length(display_name) <= 255),
    drop constraint users_handle_check,
    add constraint users_handle_check check (handle ~ '^[^[:space:][:cntrl:]/@]{1,64}$'),
    drop constraint users_email_check,
    add constraint users_email_check check (email ~ '^[^[:space:]]+@[^[:space:]@]+$' and char_length(email) <= 320),
    drop constraint users_cognito_user_id_check,
    add constraint users_cognito_user_id_check check (cognito_user_id ~ '^[^[:space:]]{1,128}$');

drop index users_handle_key, users_email_key, users_handle_prefix_idx;
create unique index users_handle_key on users (lower(handle));
create unique index users_email_key on users (lower(email));
create index users_handle_prefix_idx on users (lower(handle) collate "C");

drop index messages_user_idx;
create index messages_user_idx on messages (user_uuid);

-- Only what is not as these functions have it; the trigger writes it.
update activities set message = message
where tags is distinct from case when strpos(message, '#') > 0 then activity_tags(message) end
    or search <> activity_search(message, tags, created_at);

do $$
begin
    if to_regrole('cruddur_app') is not null then
        revoke insert (uuid, user_uuid, message, reply_to_activity_uuid, expires_at) on activities from cruddur_app;
        revoke insert (user_uuid, activity_uuid), update (activity_uuid) on likes, reposts from cruddur_app;
        revoke insert (follower_uuid, followed_uuid), update (followed_uuid) on follows from cruddur_app;
        revoke insert (user_uuid, read_at) on notification_reads from cruddur_app;
        revoke insert (uuid, first_user_uuid, second_user_uuid) on message_groups from cruddur_app;
        revoke insert (uuid, message_group_uuid, user_uuid, message) on messages from cruddur_app;
        grant insert on activities, likes, reposts, follows, notification_reads, message_groups, messages to cruddur_app;
        grant update (created_at) on likes, reposts, follows to cruddur_app;
        grant execute on function confirm_user(uuid, json, text) to cruddur_app;
    end if;
    if to_regrole('cruddur_confirmation') is not null then
        grant execute on function confirm_user(uuid, json, text) to cruddur_confirmation;
    end if;
end
$$;
drop function fold_case(text);
drop function may_follow(uuid, uuid, integer);
