-- A departure that is under way: the user's rows go at once.
delete from users u using departures d where u.uuid = d.user_uuid;
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
    done := public.release_hidden(batch);
    if done = 0 then
        done := public.purge_expired(batch);
    end if;
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
        perform public.note_purge_end();
    end if;
    return 0;
end
$$;
-- Deletes at most "most" likes, as many reposts and as many activities of a user, and corrects the counts of the activities concerned.
-- Replies to the user's activities are deleted with them. The activities are locked first, in the order of uuid. Returns the number of
-- rows deleted.
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
            and hidden_expires_at is null
        group by reply_to_activity_uuid
    ) taken
    where p.uuid = taken.reply_to_activity_uuid
        and p.uuid <> all (touched);
    delete from public.activities where uuid = any (touched);
    get diagnostics gone = row_count;
    return done + gone;
end
$$;

drop function purge_departures(integer), forget_user(uuid, integer), withdraw_activities(uuid, integer), departed(text, text), depart(uuid),
    take_back_marks(uuid, integer);
drop table departures;
