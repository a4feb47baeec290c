-- Users may be suspended, and activities reported.
alter table users add column suspended_at timestamptz;
alter table activities add column hidden_expires_at timestamptz, drop constraint activities_expires_at_check;
alter table activities add
    constraint activities_expires_at_check check (expires_at > created_at or deleted_at is not null or hidden_expires_at is not null);

create index activities_hidden_idx on activities (hidden_expires_at) where hidden_expires_at is not null;
create index activities_hidden_user_idx on activities (user_uuid) where hidden_expires_at is not null;
create index activities_hidden_parent_idx on activities (reply_to_activity_uuid) where hidden_expires_at is not null;

-- The caller of a request that writes: not a suspended user. See caller().
create function writer(sub text, name text) returns table (uuid uuid, display_name text, handle text, is_allowed boolean)
    language sql
    stable
    rows 1
as $$
    select u.uuid, u.display_name, u.handle, sub is null or name is null or public.fold_text(u.handle) = public.fold_text(name)
    from public.users u
    where (
            u.cognito_user_id = sub
            or (sub is null and u.folded_handle = public.fold_text(name))
        )
        and u.suspended_at is null
$$;

-- The outcome where writer() has no row.
create function missing_writer(sub text, name text) returns text
    language sql
    stable
as $$
    select case when exists (select from public.caller(sub, name)) then 'user_suspended' else public.missing_caller(sub) end
$$;
revoke all on function writer(text, text), missing_writer(text, text) from public;

-- A suspended user's activities are hidden: expires_at is -infinity, so no statement shows them, and hidden_expires_at is what it was.
-- They are off the counts of what they reply to. Replies of others to them stay.

-- Whether an activity has replies that end with it, hidden ones too, which are not in its replies_count.
create function has_replies(id uuid, replies_count integer) returns boolean
    language sql
    stable
as $$
    select
        replies_count > 0
        or exists (select from public.activities where reply_to_activity_uuid = id and hidden_expires_at is not null)
$$;
revoke all on function has_replies(uuid, integer) from public;

-- Hides at most "most" activities of a user; how many. The activities and what they reply to are locked from old to new, so that a
-- parent is locked before its replies, as everywhere.
create function hide_activities(author uuid, most integer) returns integer
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
            and public.is_live(expires_at)
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
    with hidden as (
        update public.activities
        set hidden_expires_at = coalesce(expires_at, 'infinity'), expires_at = '-infinity'
        where uuid = any (touched)
            and public.is_live(expires_at)
        returning reply_to_activity_uuid
    )
    select array_agg(reply_to_activity_uuid) into parents from hidden where reply_to_activity_uuid is not null;
    update public.activities p
    set replies_count = greatest(p.replies_count - gone.replies, 0)
    from (select parent, count(*) as replies from unnest(parents) hidden (parent) group by parent) gone
    where p.uuid = gone.parent;
    return cardinality(touched);
end
$$;

-- Takes that back for the activities of a list, those of one suspended user or of several.
create function show_activities(hidden uuid[]) returns void
    language plpgsql
as $$
declare
    parents uuid[];
begin
    perform
    from public.activities
    where uuid in (
        select unnest(hidden)
        union all
        select reply_to_activity_uuid from public.activities where uuid = any (hidden)
    )
    order by created_at, uuid
    for no key update;
    with shown as (
        update public.activities
        set expires_at = nullif(hidden_expires_at, 'infinity'), hidden_expires_at = null
        where uuid = any (hidden)
            and hidden_expires_at is not null
        returning reply_to_activity_uuid
    )
    select array_agg(reply_to_activity_uuid) into parents from shown where reply_to_activity_uuid is not null;
    update public.activities p
    set replies_count = p.replies_count + back.replies
    from (select parent, count(*) as replies from unnest(parents) shown (parent) group by parent) back
    where p.uuid = back.parent;
end
$$;

-- The purge's part: hidden activities that would have expired are no longer hidden, but expired. How many, "batch" at most.
create function release_hidden(batch integer) returns integer
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    ended uuid[] := array(
        select uuid
        from public.activities
        where hidden_expires_at <= now()
        order by hidden_expires_at
        limit batch
    );
begin
    if ended <> '{}' then
        perform public.show_activities(ended);
    end if;
    return cardinality(ended);
end
$$;
revoke all on function hide_activities(uuid, integer), show_activities(uuid[]), release_hidden(integer) from public;

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
        select uuid, case when hidden_expires_at is null then expires_at else nullif(hidden_expires_at, 'infinity') end as expires_at, deleted_at
        into parent
        from public.activities
        where uuid = waiting[1]
        for no key update;
        with moving as (
            select uuid
            from public.activities
            where reply_to_activity_uuid = parent.uuid
                and deleted_at is null
                and case when hidden_expires_at is null then expires_at else nullif(hidden_expires_at, 'infinity') end
                    is distinct from parent.expires_at
            limit most - done
            for no key update
        ),
        moved as (
            update public.activities a
            set expires_at = case when a.hidden_expires_at is null or parent.deleted_at is not null then parent.expires_at else a.expires_at end,
                hidden_expires_at = case
                    when a.hidden_expires_at is not null and parent.deleted_at is null then coalesce(parent.expires_at, 'infinity')
                end,
                deleted_at = parent.deleted_at
            from moving
            where a.uuid = moving.uuid
            returning a.uuid, a.replies_count
        )
        select count(*), coalesce(array_agg(m.uuid) filter (where public.has_replies(m.uuid, m.replies_count)), '{}')
        into moved, below
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
        perform public.tidy_growth();
        perform public.note_purge_end();
    end if;
    return 0;
end
$$;

-- What users have reported for the operators, once by each user for each activity. The message is a copy: an activity may expire before
-- it is looked at. bin/reports lists the open ones, and deletes resolved ones after 30 days.
create table reports (
    activity_uuid uuid        not null, -- no foreign key, as it may be purged
    reporter_uuid uuid        not null,
    author_uuid   uuid        not null,
    message       text        not null,
    reason        text        not null,
    created_at    timestamptz not null default now(),
    resolved_at   timestamptz, -- null: open
    constraint reports_pkey primary key (activity_uuid, reporter_uuid),
    constraint reports_reporter_uuid_fkey foreign key (reporter_uuid) references users (uuid) on delete cascade,
    constraint reports_author_uuid_fkey foreign key (author_uuid) references users (uuid) on delete cascade,
    constraint reports_reason_check check (char_length(reason) between 1 and 500)
);

create index reports_reporter_idx on reports (reporter_uuid, created_at desc);
create index reports_author_idx on reports (author_uuid);

-- As full_hour, for the reports of a user.
create function full_report_hour(reporter uuid, most integer) returns table (retry_after_s integer)
    language sql
    stable
    rows 1
as $$
    select greatest(ceil(extract(epoch from nth.created_at + interval '1 hour' - now())), 1)::integer
    from (
        select created_at
        from public.reports
        where reporter_uuid = reporter
            and created_at > now() - interval '1 hour'
            and created_at <= now()
        order by created_at desc
        offset greatest(most - 1, 0)
        limit 1
    ) nth
    where most > 0
$$;
revoke all on function full_report_hour(uuid, integer) from public;

do $$
begin
    if to_regrole('cruddur_app') is not null then
        grant select (suspended_at) on users to cruddur_app;
        grant select (activity_uuid, reporter_uuid, reason, created_at), insert (activity_uuid, reporter_uuid, author_uuid, message, reason),
            update (activity_uuid) on reports to cruddur_app;
        grant execute on function writer(text, text), missing_writer(text, text), release_hidden(integer),
            full_report_hour(uuid, integer), has_replies(uuid, integer) to cruddur_app;
    end if;
end
$$;
