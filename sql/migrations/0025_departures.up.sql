-- Users delete their own accounts.
-- Deletes at most "most" likes and as many reposts of a user, and corrects the counts of the activities concerned, which are locked
-- first, in the order of uuid. Returns the number of rows deleted.
create function take_back_marks(actor uuid, most integer) returns integer
    language plpgsql
as $$
declare
    touched uuid[];
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
    return done;
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
    done    integer := public.take_back_marks(actor, most);
begin
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
revoke all on function take_back_marks(uuid, integer), take_back_all(uuid, integer) from public;

-- Users that deleted their own accounts (DELETE /api/profile). Such a user loses handle, name, address and subject at once (see depart);
-- the rows are the purge's (see purge_departures). The row here stays for an hour longer than the user's, so that the same
-- request again gets the same answer. It has no foreign key, as the user's row is gone by then.
create table departures (
    user_uuid       uuid        not null,
    cognito_user_id text        not null,
    folded_handle   text        collate "C" not null,
    due_at          timestamptz not null default now(), -- when the purge looks at it next
    constraint departures_pkey primary key (user_uuid)
);

create index departures_handle_idx on departures (folded_handle, cognito_user_id);
create index departures_due_at_idx on departures (due_at);

-- Makes a user one that has left. What replaces the identity is random, so that no other user has it. suspended_at keeps the user
-- out of suggestions. A request of the user's that is under way is waited for; what it wrote is purged like the rest.
create function depart(leaving uuid) returns boolean
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    insert into public.departures (user_uuid, cognito_user_id, folded_handle)
    select uuid, cognito_user_id, folded_handle from public.users where uuid = leaving
    on conflict (user_uuid) do nothing;
    if found then
        update public.users
        set handle = 'deleted_' || replace(gen_random_uuid()::text, '-', ''),
            display_name = 'Deleted user',
            email = gen_random_uuid() || '@deleted.invalid',
            cognito_user_id = 'deleted:' || gen_random_uuid(),
            bio = '',
            suspended_at = now()
        where uuid = leaving;
    end if;
    return true;
end
$$;

-- The user with this subject and handle that has left; null: there is none, or the hour is over. The row is written as it is, and not
-- only found: what is acknowledged waits for the standby. sub: null takes any, as in caller().
create function departed(sub text, name text) returns uuid
    language sql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
    update public.departures
    set due_at = due_at
    where user_uuid = (
        select user_uuid
        from public.departures
        where folded_handle = public.fold_text(name)
            and (sub is null or cognito_user_id = sub)
        limit 1
    )
    returning user_uuid
$$;

-- Marks at most "most" activities of a user that leaves as deleted; how many. They are marked as if that had been 25 hours ago, so that
-- purge_expired takes them away next. Their replies go with them, see settle_replies. Those that were deleted before go when
-- they have been deleted for a day. The activities and what they reply to are locked from old to new, as in hide_activities.
create function withdraw_activities(author uuid, most integer) returns integer
    language plpgsql
as $$
declare
    touched uuid[];
    parents uuid[];
begin
    touched := array(
        select uuid
        from public.activities
        where user_uuid = author
            and deleted_at is null
        limit most
    );
    perform
    from public.activities
    where uuid in (
        select unnest(touched)
        union all
        select reply_to_activity_uuid from public.activities where uuid = any (touched)
    )
    order by created_at, uuid
    for no key update;
    parents := array(
        select reply_to_activity_uuid
        from public.activities
        where uuid = any (touched)
            and deleted_at is null
            and hidden_expires_at is null
            and reply_to_activity_uuid is not null
    );
    insert into public.unsettled_threads (activity_uuid)
    select uuid
    from public.activities
    where uuid = any (touched)
        and public.has_replies(uuid, replies_count)
    on conflict do nothing;
    update public.activities
    set deleted_at = now() - interval '25 hours', expires_at = '-infinity', hidden_expires_at = null
    where uuid = any (touched)
        and deleted_at is null;
    update public.activities p
    set replies_count = greatest(p.replies_count - gone.replies, 0)
    from (select parent, count(*) as replies from unnest(parents) withdrawn (parent) group by parent) gone
    where p.uuid = gone.parent;
    return cardinality(touched);
end
$$;

-- Deletes what names a user that leaves, besides activities, likes and reposts: at most "most" rows of each table. Returns the number
-- of rows. Messages and conversations stay for the other user, without the name; those that no user is left of go, the messages first.
create function forget_user(leaving uuid, most integer) returns integer
    language plpgsql
as $$
declare
    gone integer;
    done integer := 0;
begin
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
    delete from public.blocks
    where (user_uuid, blocked_uuid) in (
        (select user_uuid, blocked_uuid from public.blocks where user_uuid = leaving limit most)
        union all
        (select user_uuid, blocked_uuid from public.blocks where blocked_uuid = leaving limit most)
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

-- The purge's part of a departure, of one user at a time; how much was done. "batch" limits it for each table. The user's row goes
-- last, when no activity is left. Until then the departure is due when one that the user had deleted before has been deleted for a day;
-- not every few seconds, as every write makes the cached pages old.
create function purge_departures(batch integer) returns integer
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    leaving uuid;
    done    integer;
begin
    select user_uuid into leaving
    from public.departures
    where due_at <= now()
    order by due_at
    limit 1
    for no key update skip locked;
    if leaving is null then
        return 0;
    elsif not exists (select from public.users where uuid = leaving) then
        delete from public.departures where user_uuid = leaving;
        return 1;
    end if;
    done := public.withdraw_activities(leaving, batch) + public.take_back_marks(leaving, batch);
    if done = 0 then
        done := public.forget_user(leaving, batch);
    end if;
    if done = 0 and not exists (select from public.activities where user_uuid = leaving) then
        delete from public.users where uuid = leaving;
        update public.departures set due_at = now() + interval '1 hour' where user_uuid = leaving;
        return 1;
    elsif done = 0 then
        update public.departures
        set due_at = greatest(
            now() + interval '10 seconds',
            (
                select max(deleted_at) + interval '1 day'
                from (select deleted_at from public.activities where user_uuid = leaving limit batch) remaining
            )
        )
        where user_uuid = leaving;
    end if;
    return done;
end
$$;
revoke all on function depart(uuid), departed(text, text), withdraw_activities(uuid, integer), forget_user(uuid, integer),
    purge_departures(integer) from public;

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
    -- What a user that leaves has written goes first, and away in the same step, so that the user's index stays short.
    done := public.release_hidden(batch);
    if done = 0 then
        done := abs(public.purge_expired(batch)) + public.purge_departures(batch);
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

do $$
begin
    if to_regrole('cruddur_app') is not null then
        grant select (due_at) on departures to cruddur_app;
        grant execute on function depart(uuid), departed(text, text), purge_departures(integer) to cruddur_app;
    end if;
end
$$;
