-- Lists no longer pass deleted and hidden activities, of which there may be many: the indexes of home and trends do not have them. The number
-- of visibility is not used twice after a failover. A message is not sent across a block that was made while it waited. A user that leaves takes
-- along the conversations that a block hides, and does not come back by an event that was signed before. A page of the list "following" leaves
-- out no activity because of a user that was followed while the list was paged.
-- Writes of activities wait while two indexes are built, on a large table for some seconds.
create index activities_home_new_idx on activities (created_at desc, uuid desc)
    where reply_to_activity_uuid is null and (expires_at is null or expires_at > '-infinity');
create index activities_live_tags_idx on activities (created_at desc, uuid desc)
    where tags is not null and (expires_at is null or expires_at > '-infinity');
comment on index activities_tags_idx is 'deprecated: activities_live_tags_idx';
update activities set hidden_expires_at = null where deleted_at is not null and hidden_expires_at is not null;

alter table follows add column written_by xid8;
alter table follows alter column written_by set default pg_current_xact_id();
alter table departures add column left_at timestamptz not null default now();
create index departures_subject_idx on departures (cognito_user_id);

create or replace function check_activity() returns trigger
    language plpgsql
as $$
declare
    broken constant text := case
        when new.reply_to_activity_uuid = new.uuid then 'reply_to_itself'
        when new.expires_at <= new.created_at and new.deleted_at is null and new.hidden_expires_at is null then 'expires_at'
        when (tg_op = 'INSERT' or new.message <> old.message)
            and (char_length(new.message) > case when new.reply_to_activity_uuid is null then 280 else 1024 end or public.is_blank(new.message))
            then 'message'
    end;
begin
    if broken is not null then
        raise check_violation using
            message = format('new row for relation "activities" violates check constraint "activities_%s_check"', broken),
            constraint = format('activities_%s_check', broken),
            table = 'activities',
            schema = 'public';
    end if;
    if new.deleted_at is not null then
        new.hidden_expires_at := null; -- else the end of a suspension would bring a deleted activity back
    end if;
    return new;
end
$$;

create or replace function is_suspended_now(one uuid) returns boolean
    language plpgsql
as $$
begin
    return not exists (select from public.users where uuid = one and suspended_at is null);
end
$$;

create or replace function note_visibility() returns trigger
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    update public.visibility set version = greatest(version + 1, public.clock_us());
    return null;
end
$$;

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
        update public.departures set due_at = due_at where cognito_user_id = subject and left_at >= event_time;
        if found then
            return 'ok';
        end if;
        begin
            insert into public.users (uuid, cognito_user_id, handle, display_name, email)
            values (new_uuid, subject, username, full_name, address)
            on conflict (cognito_user_id) do update set handle = excluded.handle, email = excluded.email
            returning uuid into confirmed;
            if exists (select from public.departures where cognito_user_id = subject and left_at >= event_time) then
                raise sqlstate 'UD001'; -- the user left while the insert waited for the user's row: it is undone
            end if;
            insert into public.confirmations as c (user_uuid, signed_at, events)
            select confirmed, event_time, array[digest]
            where event_time is not null
            on conflict (user_uuid) do update
                set signed_at = excluded.signed_at,
                    events = case when c.signed_at = excluded.signed_at then c.events || excluded.events else excluded.events end;
            return 'ok';
        exception
            when sqlstate 'UD001' then
                null;
            when check_violation then
                get stacked diagnostics broken_constraint = constraint_name;
                return case broken_constraint
                    when 'users_cognito_user_id_check' then 'cognito_user_id_invalid'
                    when 'users_handle_check' then 'user_handle_invalid'
                    when 'users_email_check' then 'email_invalid'
                    when 'users_display_name_check' then
                        case
                            when char_length(full_name) > 255 then 'display_name_exceed_max_chars'
                            when public.is_blank(full_name) then 'display_name_blank'
                            else 'display_name_invalid'
                        end
                end;
            when unique_violation then
                if exists (select from public.users where folded_handle = public.fold_text(username) and cognito_user_id <> subject) then
                    return 'handle_taken';
                elsif exists (
                    select
                    from public.users
                    where lower(email collate "und-x-icu") = lower(address collate "und-x-icu")
                        and cognito_user_id <> subject
                ) then
                    return 'email_taken';
                end if;
                -- Neither: another delivery of this event has just made the row, or the user that had the name has just gone.
        end;
    end loop;
    raise unique_violation using message = 'a user with this uuid, handle or e-mail comes and goes';
end
$$;

create or replace function posts_before(after_us bigint, after_uuid uuid, most integer) returns setof activities
    language sql
    stable
as $$
    select *
    from public.activities
    where reply_to_activity_uuid is null
        and (expires_at is null or expires_at > '-infinity')
        and (created_at, uuid) < (public.page_time(after_us), public.page_uuid(after_uuid))
    order by created_at desc, uuid desc
    limit most
$$;

create or replace function earlier_reposts(activity uuid, follower uuid, after_us bigint, after_uuid uuid, view pg_snapshot) returns table (user_uuid uuid)
    language sql
    stable
as $$
    select earlier.user_uuid
    from (
        select user_uuid, created_at, written_by
        from public.reposts
        where activity_uuid = activity
            and created_at >= public.page_time(after_us)
        order by created_at desc
        limit 100
    ) earlier
    where (view is null or public.was_seen(earlier.written_by, view))
        and (earlier.created_at, public.event_uuid('repost', earlier.user_uuid, activity)) >= (public.page_time(after_us), public.page_uuid(after_uuid))
        and (
            select view is null or public.was_seen(follows.written_by, view)
            from public.follows
            where follower_uuid = follower
                and followed_uuid = earlier.user_uuid
        )
        and not public.hides(follower, true, earlier.user_uuid)
$$;

create or replace function tell_of_activity() returns trigger
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    told record;
begin
    if not exists (select from public.activities where uuid = new.uuid) then
        return null; -- deleted by the same transaction
    end if;
    for told in
        select recipient.uuid, recipient.kind
        from (
            select user_uuid as uuid, 'reply' as kind
            from public.activities
            where uuid = new.reply_to_activity_uuid
            union all
            select mentioned.uuid, 'mention'
            from public.mentioned_users(new.message) mentioned (uuid)
            where new.message ~ '[@\ufe6b\uff20]'
                and mentioned.uuid is distinct from (select user_uuid from public.activities where uuid = new.reply_to_activity_uuid)
        ) recipient
        where recipient.uuid <> new.user_uuid
            and not public.is_blocked(recipient.uuid, new.user_uuid)
        order by public.notification_lock(recipient.uuid)
    loop
        perform from public.users where uuid = told.uuid for key share; -- waits for bin/user-delete, which deletes the row
        continue when not found;
        insert into public.notifications (user_uuid, created_at, uuid, kind, actor_uuid, activity_uuid)
        values (
            told.uuid, public.next_notification_at(told.uuid, new.created_at), new.uuid, told.kind, new.user_uuid, new.uuid
        );
    end loop;
    return null;
end
$$;

create or replace function place_message() returns trigger
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    last_at   timestamptz;
    first     uuid;
    second    uuid;
begin
    select last_message_at, first_user_uuid, second_user_uuid into last_at, first, second
    from public.message_groups
    where uuid = new.message_group_uuid
    for no key update;
    if public.is_blocked_now(first, second) or (new.user_uuid is not null and public.is_suspended_now(new.user_uuid)) then
        -- The service sends it again, and the statement then says why it is refused.
        raise serialization_failure using message = 'a block or a suspension was made while the message waited for the conversation';
    end if;
    if not exists (select from public.messages where uuid = new.uuid) then
        if last_at > now() or exists (select from public.messages where message_group_uuid = new.message_group_uuid) then
            new.created_at := greatest(
                now(),
                case
                    when last_at < clock_timestamp() + interval '1 second' then date_trunc('milliseconds', last_at) + interval '1 millisecond'
                    else last_at + interval '1 microsecond'
                end
            );
            new.expires_at := new.expires_at + (new.created_at - now());
        end if;
        update public.message_groups
        set last_message_at = new.created_at, moved_by = pg_current_xact_id()
        where uuid = new.message_group_uuid;
    end if;
    return new;
end
$$;

create or replace function forget_user(leaving uuid, most integer) returns integer
    language plpgsql
as $$
declare
    gone   integer;
    done   integer := 0;
    others uuid[]  := array(
        (select blocked_uuid from public.blocks where user_uuid = leaving limit most)
        union
        (select user_uuid from public.blocks where blocked_uuid = leaving limit most)
    );
    hidden uuid[]  := array(
        select g.uuid
        from unnest(others) other
        join public.message_groups g on g.first_user_uuid = least(leaving, other) and g.second_user_uuid = greatest(leaving, other)
    );
begin
    delete from public.messages
    where uuid in (select uuid from public.messages where message_group_uuid = any (hidden) limit most);
    get diagnostics gone = row_count;
    done := done + gone;
    if gone < most then
        delete from public.message_groups where uuid = any (hidden);
        delete from public.blocks
        where (user_uuid = leaving and blocked_uuid = any (others))
            or (blocked_uuid = leaving and user_uuid = any (others));
        get diagnostics gone = row_count;
        done := done + gone;
    end if;
    delete from public.notifications
    where (user_uuid, created_at, uuid) in (
        (select user_uuid, created_at, uuid from public.notifications where user_uuid = leaving limit most)
        union all
        (select user_uuid, created_at, uuid from public.notifications where actor_uuid = leaving limit most)
    );
    get diagnostics gone = row_count;
    done := done + gone;
    delete from public.withdrawn_notifications
    where key in (
        (select key from public.withdrawn_notifications where user_uuid = leaving limit most)
        union all
        (select key from public.withdrawn_notifications where actor_uuid = leaving limit most)
    );
    get diagnostics gone = row_count;
    done := done + gone;
    delete from public.follows
    where (follower_uuid, followed_uuid) in (
        (select follower_uuid, followed_uuid from public.follows where follower_uuid = leaving limit most)
        union all
        (select follower_uuid, followed_uuid from public.follows where followed_uuid = leaving limit most)
    );
    get diagnostics gone = row_count;
    done := done + gone;
    delete from public.mutes
    where (user_uuid, muted_uuid) in (
        (select user_uuid, muted_uuid from public.mutes where user_uuid = leaving limit most)
        union all
        (select user_uuid, muted_uuid from public.mutes where muted_uuid = leaving limit most)
    );
    get diagnostics gone = row_count;
    done := done + gone;
    delete from public.reports
    where (activity_uuid, reporter_uuid) in (
        (select activity_uuid, reporter_uuid from public.reports where reporter_uuid = leaving limit most)
        union all
        (select activity_uuid, reporter_uuid from public.reports where author_uuid = leaving limit most)
    );
    get diagnostics gone = row_count;
    done := done + gone;
    delete from public.conversation_reads
    where (message_group_uuid, user_uuid) in (
        select message_group_uuid, user_uuid from public.conversation_reads where user_uuid = leaving limit most
    );
    get diagnostics gone = row_count;
    done := done + gone;
    update public.messages
    set user_uuid = null
    where uuid in (select uuid from public.messages where user_uuid = leaving limit most);
    get diagnostics gone = row_count;
    done := done + gone;
    delete from public.messages
    where uuid in (
        select m.uuid
        from public.message_groups g
        join public.messages m on m.message_group_uuid = g.uuid
        where (g.first_user_uuid = leaving and g.second_user_uuid is null)
            or (g.second_user_uuid = leaving and g.first_user_uuid is null)
        limit most
    );
    get diagnostics gone = row_count;
    done := done + gone;
    if done = 0 then
        update public.message_groups
        set first_user_uuid = nullif(first_user_uuid, leaving), second_user_uuid = nullif(second_user_uuid, leaving)
        where uuid in (
            (select uuid from public.message_groups where first_user_uuid = leaving limit most)
            union all
            (select uuid from public.message_groups where second_user_uuid = leaving limit most)
        );
        get diagnostics done = row_count;
    end if;
    return done;
end
$$;

-- Reads wait for this, so it comes last.
drop index activities_home_idx;
alter index activities_home_new_idx rename to activities_home_idx;
