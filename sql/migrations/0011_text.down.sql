create function fold_case(value text) returns text
    language sql
    immutable
    parallel safe
as $$
    select lower(value collate pg_catalog."und-x-icu")
$$;
revoke all on function fold_case(text) from public;

create or replace function confirm_user(new_uuid uuid, event json, pool text, event_time timestamptz default null) returns text
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

create or replace function set_activity_search() returns trigger
    language plpgsql
as $$
begin
    new.tags := case when strpos(new.message, '#') > 0 then public.activity_tags(new.message) end;
    new.search := public.activity_search(new.message, new.tags, new.created_at);
    return new;
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

create or replace function tell_of_activity() returns trigger
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    insert into public.notifications (user_uuid, created_at, uuid, kind, actor_uuid, activity_uuid)
    select told.uuid, new.created_at, new.uuid, told.kind, new.user_uuid, new.uuid
    from (
        select user_uuid as uuid, 'reply' as kind
        from public.activities
        where uuid = new.reply_to_activity_uuid
        union all
        select mentioned.uuid, 'mention'
        from public.mentioned_users(new.message) mentioned (uuid)
        where position('@' in new.message) > 0
            and mentioned.uuid is distinct from (select user_uuid from public.activities where uuid = new.reply_to_activity_uuid)
    ) told
    where told.uuid <> new.user_uuid;
    return null;
end
$$;

create or replace function purge_step(batch integer) returns integer
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    done integer := public.settle_threads(batch);
begin
    if done <> 0 then
        return abs(done);
    elsif public.close_growth() then
        return 1;
    end if;
    done := public.purge_expired(batch);
    if done <> 0 then
        return abs(done);
    end if;
    -- Once a minute is enough, as every write makes the cached pages old.
    if exists (select from public.purge_progress where coalesce(finished_at < now() - interval '1 minute', true)) then
        perform public.tidy_growth();
        perform public.note_purge_end();
    end if;
    return 0;
end
$$;

drop trigger activities_tell on activities;
create trigger activities_tell
    after insert on activities
    for each row
    when (new.reply_to_activity_uuid is not null or position('@' in new.message) > 0)
    execute function tell_of_activity();
drop trigger messages_blank on messages;
drop trigger users_folded_handle on users;
drop function refuse_blank_message(), set_folded_handle(), renew_activities(integer);
drop table outdated_activities;

alter table users drop column folded_handle;
drop index users_email_key;
create unique index users_handle_key on users (fold_case(handle));
create unique index users_email_key on users (fold_case(email));
create index users_handle_prefix_idx on users (fold_case(handle) collate "C");

-- Only what is not as these functions have it; the trigger writes it.
update activities set message = message
where tags is distinct from case when strpos(message, '#') > 0 then activity_tags(message) end
    or search <> activity_search(message, tags, created_at);

do $$
begin
    if to_regrole('cruddur_app') is not null then
        grant execute on function fold_case(text) to cruddur_app;
    end if;
end
$$;
drop function
    search_query(text), joined_query(tsquery[], boolean[]), phrase_query(text[], boolean, boolean), text_without_addresses(text),
    text_words(text), is_handle(text), fold_text(text), is_blank(text), blank_characters(), invisible_characters(),
    latin_characters(), unspaced_characters(), word_marks();
