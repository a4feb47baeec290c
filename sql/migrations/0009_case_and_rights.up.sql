-- Case and blanks by rules that are the same on every database, whatever its locale, and rights column by column.
do $$
declare
    equal text;
begin
    select string_agg(handles, '; ') into equal
    from (
        select string_agg(handle, ', ' order by created_at) as handles
        from users
        group by lower(handle collate pg_catalog."und-x-icu")
        having count(*) > 1
        union all
        select 'the e-mail addresses of ' || string_agg(handle, ', ' order by created_at)
        from users
        group by lower(email collate pg_catalog."und-x-icu")
        having count(*) > 1
    ) found;
    if equal is not null then
        raise exception 'these users are the same but for case, by the rule that is to hold everywhere: %', equal
            using hint = 'Give all but one of each another handle or e-mail address, then migrate again.';
    end if;
end
$$;

create function fold_case(value text) returns text
    language sql
    immutable
    parallel safe
as $$
    select lower(value collate pg_catalog."und-x-icu")
$$;
revoke all on function fold_case(text) from public;

-- The last event of the hook that was applied to a user: when it was signed, and the SHA-256 of those that were signed in that
-- second. Only confirm_user writes here.
create table confirmations (
    user_uuid uuid        not null,
    signed_at timestamptz not null,
    events    bytea[]     not null,
    constraint confirmations_pkey primary key (user_uuid),
    constraint confirmations_user_uuid_fkey foreign key (user_uuid) references users (uuid) on delete cascade
);

drop function confirm_user(uuid, json, text);
create function confirm_user(new_uuid uuid, event json, pool text, event_time timestamptz default null) returns text
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
    digest bytea := sha256(convert_to(event::text, 'UTF8'));
    confirmed uuid;
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

    -- Written as it is, and not only found: what is acknowledged waits for the standby.
    update public.confirmations c
    set signed_at = c.signed_at
    from public.users u
    where u.cognito_user_id = subject
        and c.user_uuid = u.uuid
        and (c.signed_at > event_time or (c.signed_at = event_time and digest = any (c.events)));
    if found then
        return 'ok';
    end if;

    for attempt in 1..5 loop
        begin
            insert into public.users (uuid, cognito_user_id, handle, display_name, email)
            values (new_uuid, subject, username, full_name, address)
            on conflict (cognito_user_id) do update set handle = excluded.handle, email = excluded.email
            returning uuid into confirmed;
            insert into public.confirmations as c (user_uuid, signed_at, events)
            select confirmed, event_time, array[digest]
            where event_time is not null
            on conflict (user_uuid) do update
                set signed_at = excluded.signed_at,
                    events = case when c.signed_at = excluded.signed_at then c.events || excluded.events else excluded.events end;
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
                if exists (select from public.users where public.fold_case(handle) = public.fold_case(username) and cognito_user_id <> subject) then
                    return 'handle_taken';
                elsif exists (select from public.users where public.fold_case(email) = public.fold_case(address) and cognito_user_id <> subject) then
                    return 'email_taken';
                end if;
                -- Neither: another delivery of this event has just made the row, or whoever had the name has just gone.
        end;
    end loop;
    raise unique_violation using message = 'a user with this uuid, handle or e-mail comes and goes';
end
$$;
revoke all on function confirm_user(uuid, json, text, timestamptz) from public;

create or replace function activity_tags(message text) returns text[]
    language plpgsql
    immutable
    parallel safe
    strict
as $$
declare
    word  constant text := '[[:alnum:]_\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed\u0900-\u0963\u0966-\u0dff\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u102b-\u103e\u17b4-\u17d3\u3099\u309a]*';
    piece text;
    tag   text;
    tags  text[];
begin
    -- No query in here: every insert does this.
    foreach piece in array (regexp_split_to_array(message collate "und-x-icu", '(?<![[:alnum:]_#&/])#'))[2:] loop
        tag := '#' || public.fold_case(substring(piece collate "und-x-icu" from '^' || word || '[[:alpha:]_]' || word));
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
    return to_tsvector('pg_catalog.simple', public.fold_case(message)) || array_to_tsvector(marks);
end
$$;

create or replace function mentioned_users(message text) returns setof uuid
    language sql
    stable
    set search_path = pg_catalog, pg_temp
as $$
    select distinct named.uuid
    from (
        select public.fold_case(match[1]) as word
        from regexp_matches(message collate "und-x-icu", '(?<![[:alnum:]_@/])@([^[:space:][:cntrl:]/@]+)', 'g') with ordinality found (match, place)
        group by public.fold_case(match[1])
        order by min(place)
        limit 10
    ) words
    cross join lateral (
        select uuid
        from public.users
        where public.fold_case(handle) in (word, substring(word collate "und-x-icu" from '^[[:alnum:]_]+(?:[.-][[:alnum:]_]+)*'))
        order by char_length(handle) desc
        limit 1
    ) named
$$;

-- A name that shows nothing becomes the handle.
update users set display_name = handle where display_name !~ '[^\u0009-\u000d\u001c-\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]';

alter table users
    drop constraint users_display_name_check,
    add constraint users_display_name_check check (display_name ~ '[^\u0009-\u000d\u001c-\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]' and char_length(display_name) <= 255),
    drop constraint users_handle_check,
    add constraint users_handle_check check (handle ~ '^[^\u0001-\u0020\u007f-\u009f\u1680\u2000-\u2006\u2008-\u200a\u2028\u2029\u205f\u3000/@]{1,64}$'),
    drop constraint users_email_check,
    add constraint users_email_check check (email ~ '^[^\u0009-\u000d\u0020\u1680\u2000-\u2006\u2008-\u200a\u2028\u2029\u205f\u3000]+@[^\u0009-\u000d\u0020\u1680\u2000-\u2006\u2008-\u200a\u2028\u2029\u205f\u3000@]+$' and char_length(email) <= 320),
    drop constraint users_cognito_user_id_check,
    add constraint users_cognito_user_id_check check (cognito_user_id ~ '^[^\u0009-\u000d\u0020\u1680\u2000-\u2006\u2008-\u200a\u2028\u2029\u205f\u3000]{1,128}$');

drop index users_handle_key, users_email_key, users_handle_prefix_idx;
create unique index users_handle_key on users (fold_case(handle));
create unique index users_email_key on users (fold_case(email));
create index users_handle_prefix_idx on users (fold_case(handle) collate "C");

-- What one user has sent within an hour is counted, see sql/messages/append.sql.
drop index messages_user_idx;
create index messages_user_idx on messages (user_uuid, created_at desc);

-- Only what is not as the functions have it now; the trigger writes it.
update activities set message = message
where tags is distinct from case when strpos(message, '#') > 0 then activity_tags(message) end
    or search <> activity_search(message, tags, created_at);

-- Whether one may follow another: one does already, or follows fewer than most. As with take_back, what was committed while
-- the statement waited for the lock counts only here.
create function may_follow(follower uuid, followed uuid, most integer) returns boolean
    language plpgsql
as $$
begin
    return exists (select from public.follows f where f.follower_uuid = follower and f.followed_uuid = followed)
        or most > (select count(*) from (select from public.follows f where f.follower_uuid = follower limit most) counted);
end
$$;
revoke all on function may_follow(uuid, uuid, integer) from public;

do $$
begin
    if to_regrole('cruddur_app') is not null then
        revoke insert on activities, likes, reposts, follows, notification_reads, message_groups, messages from cruddur_app;
        revoke update (created_at) on likes, reposts, follows from cruddur_app;
        grant insert (uuid, user_uuid, message, reply_to_activity_uuid, expires_at) on activities to cruddur_app;
        grant insert (user_uuid, activity_uuid), update (activity_uuid) on likes, reposts to cruddur_app;
        grant insert (follower_uuid, followed_uuid), update (followed_uuid) on follows to cruddur_app;
        grant insert (user_uuid, read_at) on notification_reads to cruddur_app;
        grant insert (uuid, first_user_uuid, second_user_uuid) on message_groups to cruddur_app;
        grant insert (uuid, message_group_uuid, user_uuid, message) on messages to cruddur_app;
        grant execute on function fold_case(text), may_follow(uuid, uuid, integer) to cruddur_app;
    end if;
    if to_regrole('cruddur_confirmation') is not null then
        grant execute on function confirm_user(uuid, json, text, timestamptz) to cruddur_confirmation;
    end if;
end
$$;
