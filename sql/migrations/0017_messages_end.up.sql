-- Messages may be deleted by their sender, may expire, and are read up to a time.
alter table messages add column expires_at timestamptz, add column deleted_at timestamptz;

create index messages_sender_idx on messages (user_uuid, message_group_uuid, created_at);
create index messages_expires_at_idx on messages (expires_at) where expires_at is not null;
create index messages_deleted_at_idx on messages (deleted_at) where deleted_at is not null;

-- Up to which message of a conversation a user has read the other's messages. No row: none.
create table conversation_reads (
    message_group_uuid uuid        not null,
    user_uuid          uuid        not null,
    read_at            timestamptz not null,
    constraint conversation_reads_pkey primary key (message_group_uuid, user_uuid),
    constraint conversation_reads_message_group_uuid_fkey foreign key (message_group_uuid)
        references message_groups (uuid) on delete cascade,
    constraint conversation_reads_user_uuid_fkey foreign key (user_uuid) references users (uuid) on delete cascade
);

create index conversation_reads_user_idx on conversation_reads (user_uuid);

-- Notes the keys of deleted messages, as note_gone_activities does.
create function note_gone_messages() returns trigger
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    insert into public.used_keys (uuid)
    select uuid from gone where substr(uuid::text, 15, 1) = '5'
    on conflict (uuid) do update set gone_at = excluded.gone_at;
    return null;
end
$$;
revoke all on function note_gone_messages() from public;

create trigger messages_gone
    after delete on messages
    referencing old table as gone
    for each statement
    execute function note_gone_messages();

-- Whether the message that was made with an Idempotency-Key has been purged, as is_key_used for activities.
create function is_message_key_used(key uuid) returns boolean
    language plpgsql
as $$
begin
    perform from public.messages where uuid = key for update;
    return exists (select from public.used_keys where uuid = key);
end
$$;
revoke all on function is_message_key_used(uuid) from public;

-- Deletes at most "batch" messages: expired ones, and those that were marked as deleted an hour ago. Returns their number.
create function purge_messages(batch integer) returns integer
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    doomed uuid[];
begin
    doomed := array(
        select uuid
        from public.messages
        where expires_at <= now()
        order by expires_at
        limit batch
        for update skip locked
    );
    doomed := doomed || array(
        select uuid
        from public.messages
        where deleted_at < now() - interval '1 hour'
        order by deleted_at
        limit batch - cardinality(doomed)
        for update skip locked
    );
    delete from public.messages where uuid = any (doomed);
    return cardinality(doomed);
end
$$;
revoke all on function purge_messages(integer) from public;

create or replace function place_message() returns trigger
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    last_at timestamptz;
begin
    select last_message_at into last_at
    from public.message_groups
    where uuid = new.message_group_uuid
    for no key update;
    if not exists (select from public.messages where uuid = new.uuid) then
        if last_at > now() or exists (select from public.messages where message_group_uuid = new.message_group_uuid) then
            new.created_at := greatest(
                now(),
                case
                    when last_at < now() + interval '1 second' then date_trunc('milliseconds', last_at) + interval '1 millisecond'
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
    if done = 0 then
        done := public.renew_activities(batch);
    end if;
    if done = 0 then
        done := public.purge_used_keys(batch);
    end if;
    if done = 0 then
        done := public.purge_messages(batch);
    end if;
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

create or replace function full_message_hour(sender uuid, most integer) returns table (retry_after_s integer)
    language sql
    stable
    rows 1
as $$
    select greatest(ceil(extract(epoch from nth.created_at + interval '1 hour' - now())), 1)::integer
    from (
        select created_at
        from public.messages
        where user_uuid = sender
            and created_at > now() - interval '1 hour'
            and created_at <= now() + interval '2 seconds' -- see place_message
        order by created_at desc
        offset greatest(most - 1, 0)
        limit 1
    ) nth
    where most > 0
$$;

do $$
begin
    if to_regrole('cruddur_app') is not null then
        grant insert (expires_at), update (deleted_at) on messages to cruddur_app;
        grant select, insert (message_group_uuid, user_uuid, read_at), update (read_at) on conversation_reads to cruddur_app;
        grant execute on function is_message_key_used(uuid), purge_messages(integer) to cruddur_app;
    end if;
end
$$;
