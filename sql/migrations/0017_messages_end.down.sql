-- What is in no list any more must not come back.
delete from messages where expires_at <= now() or deleted_at is not null;
drop trigger messages_gone on messages;
drop function note_gone_messages(), is_message_key_used(uuid), purge_messages(integer);
drop table conversation_reads;

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
        if exists (select from public.messages where message_group_uuid = new.message_group_uuid) then
            new.created_at := greatest(now(), last_at + interval '1 microsecond');
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
            and created_at <= now()
        order by created_at desc
        offset greatest(most - 1, 0)
        limit 1
    ) nth
    where most > 0
$$;

alter table messages drop column expires_at, drop column deleted_at;
drop index messages_sender_idx;
