-- Search, trends, growth and the purge. The table of activities is written anew, once, and locked meanwhile.
-- The tags of a message, each once: '#' and a word with a letter in it, in lower case; null without any.
create function activity_tags(message text) returns text[]
    language plpgsql
    immutable
    parallel safe
    strict
as $$
declare
    piece text;
    tag   text;
    tags  text[];
begin
    -- No query in here: every insert does this.
    foreach piece in array (regexp_split_to_array(message, '(?<![[:alnum:]_#&/])#'))[2:] loop
        tag := '#' || lower(substring(piece from '^[[:alnum:]_]*[[:alpha:]_][[:alnum:]_]*'));
        if char_length(tag) <= 65 and tag <> all (coalesce(tags, '{}')) then
            tags := tags || tag;
        end if;
    end loop;
    return tags;
end
$$;
revoke all on function activity_tags(text) from public;

-- What an activity is found by: its words, its tags, and when it was posted, as '@k:n', the n-th time of 2^k seconds since
-- 1970, by which sql/activities/search.sql narrows down to the newest what is found often. No word begins with '@' or '#'.
create function activity_search(message text, tags text[], created_at timestamptz) returns tsvector
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
    return to_tsvector('pg_catalog.simple', message) || array_to_tsvector(marks);
end
$$;
revoke all on function activity_search(text, text[], timestamptz) from public;

-- Generated columns would do the same, at twice the price for every insert.
create function set_activity_search() returns trigger
    language plpgsql
as $$
begin
    new.tags := case when strpos(new.message, '#') > 0 then public.activity_tags(new.message) end;
    new.search := public.activity_search(new.message, new.tags, new.created_at);
    return new;
end
$$;
revoke all on function set_activity_search() from public;

alter table activities
    add column search tsvector,
    add column tags text[];
alter table activities
    alter column tags type text[] using case when strpos(message, '#') > 0 then activity_tags(message) end;
alter table activities
    alter column search type tsvector using activity_search(message, tags, created_at),
    alter column search set not null;

create trigger activities_search
    before insert or update of message, created_at, search, tags on activities
    for each row
    execute function set_activity_search();

-- A short list of new posts in the index's own waiting room: an insert that empties it isn't held up for long, and a search
-- has to read it as well.
create index activities_search_idx on activities using gin (search) with (gin_pending_list_limit = 256);
create index activities_created_at_idx on activities (created_at desc, uuid desc);
create index activities_tags_idx on activities (created_at desc, uuid desc) where tags is not null;
create index users_handle_prefix_idx on users (lower(handle) collate "C");

-- How many users, posts and replies were made in a quarter of an hour (where days begin in any time zone), which begins at
-- "at"; the sum of its rows, as nobody changes one: no row that all inserts queue for. Up to growth_closed.until that is
-- all of them. From there on the rows of activities and users count themselves, and here are those that are gone already.
-- A post counts for ever, expired or deleted; a user who is gone doesn't.
create table growth (
    at      timestamptz not null,
    users   bigint      not null default 0,
    posts   bigint      not null default 0,
    replies bigint      not null default 0
);

create index growth_at_idx on growth (at);

create table growth_closed (
    is_it boolean     not null default true,
    until timestamptz not null,
    constraint growth_closed_pkey primary key (is_it),
    constraint growth_closed_is_it_check check (is_it)
);

insert into growth_closed (until) values ('-infinity');

create function quarter_of(moment timestamptz) returns timestamptz
    language sql
    immutable
    parallel safe
as $$
    select to_timestamp(floor(extract(epoch from moment) / 900) * 900)
$$;
revoke all on function quarter_of(timestamptz) from public;

-- What comes late, into a time that may be closed already, and what moves there by hand.
create function note_late_activity() returns trigger
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    perform pg_advisory_xact_lock_shared(1668445540, 1);
    if tg_op = 'UPDATE' then
        insert into public.growth (at, posts, replies)
        select public.quarter_of(old.created_at), -(old.reply_to_activity_uuid is null)::integer,
            -(old.reply_to_activity_uuid is not null)::integer
        from public.growth_closed
        where old.created_at < until;
    end if;
    insert into public.growth (at, posts, replies)
    select public.quarter_of(new.created_at), (new.reply_to_activity_uuid is null)::integer,
        (new.reply_to_activity_uuid is not null)::integer
    from public.growth_closed
    where new.created_at < until;
    return null;
end
$$;
revoke all on function note_late_activity() from public;

create trigger activities_growth_late
    after insert on activities
    for each row
    when (new.created_at < now() - interval '30 minutes')
    execute function note_late_activity();
create trigger activities_growth_moved
    after update of created_at on activities
    for each row
    when (old.created_at <> new.created_at)
    execute function note_late_activity();

create function note_gone_activities() returns trigger
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    if exists (select from gone) then
        perform pg_advisory_xact_lock_shared(1668445540, 1);
        insert into public.growth (at, posts, replies)
        select public.quarter_of(created_at), count(*) filter (where reply_to_activity_uuid is null), count(reply_to_activity_uuid)
        from gone
        cross join public.growth_closed
        where created_at >= until
        group by 1;
    end if;
    return null;
end
$$;
revoke all on function note_gone_activities() from public;

create trigger activities_growth_gone
    after delete on activities
    referencing old table as gone
    for each statement
    execute function note_gone_activities();

-- Users: the same, but that one who is gone is taken off.
create function note_late_user() returns trigger
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    perform pg_advisory_xact_lock_shared(1668445540, 1);
    if tg_op <> 'INSERT' then
        insert into public.growth (at, users)
        select public.quarter_of(old.created_at), -1
        from public.growth_closed
        where old.created_at < until;
    end if;
    if tg_op <> 'DELETE' then
        insert into public.growth (at, users)
        select public.quarter_of(new.created_at), 1
        from public.growth_closed
        where new.created_at < until;
    end if;
    return null;
end
$$;
revoke all on function note_late_user() from public;

create trigger users_growth_late
    after insert on users
    for each row
    when (new.created_at < now() - interval '30 minutes')
    execute function note_late_user();
create trigger users_growth_moved
    after update of created_at on users
    for each row
    when (old.created_at <> new.created_at)
    execute function note_late_user();
create trigger users_growth_gone
    after delete on users
    for each row
    execute function note_late_user();

create index users_created_at_idx on users (created_at);

-- Closes a day of growth, up to an hour ago at the latest: whatever is inserted has been committed by then. Whether there
-- is more to close. Deletes, and inserts of what is older, wait for its end.
create function close_growth() returns boolean
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    target timestamptz := public.quarter_of(now() - interval '1 hour');
    begins timestamptz;
    ends   timestamptz;
begin
    perform pg_advisory_xact_lock(1668445540, 1);
    select until into begins from public.growth_closed;
    select public.quarter_of(least(
        (select min(created_at) from public.activities where created_at >= begins),
        (select min(created_at) from public.users where created_at >= begins)
    )) + interval '1 day' into ends;
    ends := least(ends, target);
    if ends <= begins then
        return false;
    end if;
    insert into public.growth (at, users, posts, replies)
    select public.quarter_of(created_at), sum(is_user), sum(is_post), sum(is_reply)
    from (
        select created_at, 1 as is_user, 0 as is_post, 0 as is_reply
        from public.users
        where created_at >= begins and created_at < ends
        union all
        select created_at, 0, (reply_to_activity_uuid is null)::integer, (reply_to_activity_uuid is not null)::integer
        from public.activities
        where created_at >= begins and created_at < ends
    ) made
    group by 1;
    update public.growth_closed set until = ends;
    return ends < target;
end
$$;
revoke all on function close_growth() from public;

-- What is there already.
do $$
begin
    while public.close_growth() loop
    end loop;
end
$$;

-- Makes one row of those for the same quarter or, when they are 60 days old, for the same day in UTC.
create function tidy_growth() returns void
    language sql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
    with placed as (
        select *, case when at < now() - interval '60 days' then date_trunc('day', at, 'UTC') else at end as place
        from public.growth
    ),
    taken as (
        delete from public.growth
        where at in (
            select at from placed where place in (select place from placed group by place having count(*) > 1)
        )
        returning *
    )
    insert into public.growth (at, users, posts, replies)
    select
        case when at < now() - interval '60 days' then date_trunc('day', at, 'UTC') else at end,
        sum(users), sum(posts), sum(replies)
    from taken
    group by 1
$$;
revoke all on function tidy_growth() from public;

-- What was purged since ever, and when a purge last came to its end. Only they write here, one at a time.
create table purge_progress (
    is_it       boolean     not null default true,
    posts       bigint      not null default 0,
    finished_at timestamptz, -- null: none did
    constraint purge_progress_pkey primary key (is_it),
    constraint purge_progress_is_it_check check (is_it)
);

insert into purge_progress default values;

-- Deletes expired activities, "batch" of them at most, with 20 likes and 20 reposts for each of them at most (and as many
-- notifications); how many, or -1 when all that it did was to take so many likes and reposts off one that has more. It takes locks only where it needn't wait
-- for them. Replies are younger than what they reply to and go before it, so that no cascade makes a batch larger than that
-- (unless by hand a reply was made to outlive what it replies to). A parent that stays has a reply less.
create function purge_expired(batch integer) returns integer
    language plpgsql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    most    integer := 20 * batch;
    doomed  uuid[];
    parents uuid[];
    popular uuid;
begin
    doomed := array(
        select uuid
        from public.activities
        where expires_at <= now()
        order by expires_at, created_at desc, reply_to_activity_uuid is null
        limit batch
    );
    parents := array(
        select p.uuid
        from public.activities p
        where p.uuid in (select reply_to_activity_uuid from public.activities where uuid = any (doomed))
            and (p.expires_at is null or p.expires_at > now())
        order by p.uuid
        for no key update skip locked
    );
    doomed := array(
        select a.uuid
        from public.activities a
        where a.uuid = any (doomed)
            and a.expires_at <= now() -- still: it may be kept for longer now
            and (
                a.reply_to_activity_uuid = any (parents)
                or not exists (
                    select
                    from public.activities p
                    where p.uuid = a.reply_to_activity_uuid
                        and (p.expires_at is null or p.expires_at > now())
                )
            )
        for update skip locked
    );
    select uuid into popular
    from public.activities
    where uuid = any (doomed)
    order by expires_at, created_at desc, reply_to_activity_uuid is null, uuid
    limit 1;
    doomed := array(
        select uuid
        from (
            select
                uuid,
                sum(likes_count) over this_far as likes,
                sum(reposts_count) over this_far as reposts
            from public.activities
            where uuid = any (doomed)
            window this_far as (order by expires_at, created_at desc, reply_to_activity_uuid is null, uuid)
        ) counted
        where likes <= most
            and reposts <= most
    );
    if popular is not null and doomed = '{}' then
        delete from public.likes
        where (user_uuid, activity_uuid) in (select user_uuid, activity_uuid from public.likes where activity_uuid = popular limit most);
        delete from public.reposts
        where (user_uuid, activity_uuid) in (select user_uuid, activity_uuid from public.reposts where activity_uuid = popular limit most);
        delete from public.notifications
        where (user_uuid, created_at, uuid) in (
            select user_uuid, created_at, uuid from public.notifications where activity_uuid = popular limit 2 * most
        );
        update public.activities
        set likes_count = greatest(likes_count - most, 0), reposts_count = greatest(reposts_count - most, 0)
        where uuid = popular;
        return -1;
    end if;
    update public.activities p
    set replies_count = greatest(p.replies_count - gone.replies, 0)
    from (
        select reply_to_activity_uuid, count(*) as replies
        from public.activities
        where uuid = any (doomed)
            and reply_to_activity_uuid = any (parents)
        group by reply_to_activity_uuid
    ) gone
    where p.uuid = gone.reply_to_activity_uuid;
    delete from public.activities where uuid = any (doomed);
    update public.purge_progress set posts = posts + cardinality(doomed) where doomed <> '{}';
    return cardinality(doomed);
end
$$;
revoke all on function purge_expired(integer) from public;

create function note_purge_end() returns void
    language sql
    security definer
    set search_path = pg_catalog, pg_temp
as $$
    update public.purge_progress set finished_at = now()
$$;
revoke all on function note_purge_end() from public;

do $$
begin
    if to_regrole('cruddur_app') is not null then
        grant select on growth, growth_closed, purge_progress to cruddur_app;
        grant execute on function activity_tags(text), activity_search(text, text[], timestamptz), close_growth(), tidy_growth(), purge_expired(integer), note_purge_end() to cruddur_app;
    end if;
end
$$;
