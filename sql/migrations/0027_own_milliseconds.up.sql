-- The time of a notification or message is at most a second ahead of the clock: the clock of the commit. Until now it was that of the
-- transaction's begin. A notification of a transaction that was open for over a second shared a millisecond with the one before it, and a
-- reader that marks up to a time cut to milliseconds marked both.
create or replace function next_notification_at(recipient uuid, event_at timestamptz, earlier_at timestamptz default null) returns timestamptz
    language plpgsql
as $$
declare
    locked  text;
    last_at timestamptz;
begin
    locked := pg_advisory_xact_lock(1668445541, public.notification_lock(recipient)); -- an assignment takes less time than perform
    select greatest(
        (select created_at from public.notifications where user_uuid = recipient order by created_at desc, uuid desc limit 1),
        (select max(created_at) from public.withdrawn_notifications where user_uuid = recipient),
        (select read_at from public.notification_reads where user_uuid = recipient),
        '-infinity'
    ) into last_at;
    if earlier_at > last_at then
        return earlier_at;
    end if;
    return greatest(
        least(event_at, now()),
        case
            when last_at < clock_timestamp() + interval '1 second' then date_trunc('milliseconds', last_at) + interval '1 millisecond'
            else last_at + interval '1 microsecond'
        end
    );
end
$$;

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
