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

do $$
begin
    if to_regrole('cruddur_confirmation') is null then
        create role cruddur_confirmation nologin;
    end if;
exception
    when insufficient_privilege then
        raise notice 'role cruddur_confirmation is missing and may not be created here: nobody has its rights but the owner';
    when duplicate_object or unique_violation then
        null; -- another run on this server was faster
end
$$;

do $$
begin
    if to_regrole('cruddur_app') is not null then
        grant execute on function confirm_user(uuid, json, text) to cruddur_app;
    end if;
    if to_regrole('cruddur_confirmation') is not null then
        execute format('grant connect on database %I to cruddur_confirmation', current_database());
        grant usage on schema public to cruddur_confirmation;
        grant execute on function confirm_user(uuid, json, text) to cruddur_confirmation;
    end if;
end
$$;
