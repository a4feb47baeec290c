-- Without the column nothing would keep a suspended user's activities hidden: they are deleted then.
insert into unsettled_threads (activity_uuid)
select uuid from activities where hidden_expires_at is not null and public.has_replies(uuid, replies_count)
on conflict do nothing;
update activities set deleted_at = now() where hidden_expires_at is not null;
drop table reports;
drop function full_report_hour(uuid, integer), hide_activities(uuid, integer), show_activities(uuid[]), release_hidden(integer),
    writer(text, text), missing_writer(text, text), has_replies(uuid, integer);

create or replace function settle_replies(top uuid, most integer) returns integer
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    waiting uuid[] := array[top];
    parent  record;
    below   uuid[];
    moved   integer;
    done    integer := 0;
begin
    while waiting <> '{}' and done < most loop
        select uuid, expires_at, deleted_at into parent
        from public.activities
        where uuid = waiting[1]
        for no key update;
        with moving as (
            select uuid
            from public.activities
            where reply_to_activity_uuid = parent.uuid
                and deleted_at is null
                and expires_at is distinct from parent.expires_at
            limit most - done
            for no key update
        ),
        moved as (
            update public.activities a
            set expires_at = parent.expires_at, deleted_at = parent.deleted_at
            from moving
            where a.uuid = moving.uuid
            returning a.uuid, a.replies_count
        )
        select count(*), coalesce(array_agg(m.uuid) filter (where m.replies_count > 0), '{}') into moved, below
        from moved m;
        done := done + moved;
        waiting := waiting || below;
        if done < most then
            waiting := waiting[2:];
        end if;
    end loop;
    delete from public.unsettled_threads where activity_uuid = top and not top = any (waiting);
    insert into public.unsettled_threads (activity_uuid) select unnest(waiting) on conflict do nothing;
    return done;
end
$$;

create or replace function take_back_all(actor uuid, most integer) returns integer
    language plpgsql
as $$
declare
    touched uuid[];
    gone    integer;
    done    integer := 0;
begin
    touched := array(select activity_uuid from public.likes where user_uuid = actor limit most);
    perform from public.activities where uuid = any (touched) order by uuid for no key update;
    with taken as (
        delete from public.likes where user_uuid = actor and activity_uuid = any (touched) returning activity_uuid
    )
    update public.activities a
    set likes_count = greatest(a.likes_count - 1, 0)
    from taken
    where a.uuid = taken.activity_uuid;
    done := done + cardinality(touched);

    touched := array(select activity_uuid from public.reposts where user_uuid = actor limit most);
    perform from public.activities where uuid = any (touched) order by uuid for no key update;
    with taken as (
        delete from public.reposts where user_uuid = actor and activity_uuid = any (touched) returning activity_uuid
    )
    update public.activities a
    set reposts_count = greatest(a.reposts_count - 1, 0)
    from taken
    where a.uuid = taken.activity_uuid;
    done := done + cardinality(touched);

    touched := array(select uuid from public.activities where user_uuid = actor limit most);
    perform
    from public.activities
    where uuid in (select reply_to_activity_uuid from public.activities where uuid = any (touched))
    order by uuid
    for no key update;
    update public.activities p
    set replies_count = greatest(p.replies_count - taken.replies, 0)
    from (
        select reply_to_activity_uuid, count(*) as replies
        from public.activities
        where uuid = any (touched)
            and deleted_at is null
        group by reply_to_activity_uuid
    ) taken
    where p.uuid = taken.reply_to_activity_uuid
        and p.uuid <> all (touched);
    delete from public.activities where uuid = any (touched);
    get diagnostics gone = row_count;
    return done + gone;
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

alter table activities drop constraint activities_expires_at_check, drop column hidden_expires_at;
alter table activities add
    constraint activities_expires_at_check check (expires_at > created_at or deleted_at is not null);
alter table users drop column suspended_at;
